//! The part of OpenShift's API that `atomic:` needs: image streams and signatures of images (AT-01; formats, section 8).

use bytes::Bytes;
use longshore_types::Digest;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::auth::Auth;
use crate::client::Client;
use crate::error::{Problem, RegistryError, Subject};
use crate::fault::{Fault, RequestLine};
use crate::limits::MAX_API_ANSWER;
use crate::signatures::{ATOMIC, decode, encode, new_name, setup};
use crate::tls::Certificates;
use crate::token::{basic, bearer};

/// How an API server is reached.
#[derive(Clone, Debug)]
pub struct OpenShiftAccess {
    /// The server's URL; a path in it is in front of that of each request.
    pub server: String,
    /// Whose name it is asked in: nobody's, a user's with a password, or that of a token that is sent as it is.
    pub auth: Auth,
    /// Whom to trust, and who we are.
    pub certificates: Certificates,
    /// Whether the server's certificate matters.
    pub tls_verify: bool,
    /// The `User-Agent` of every request; none: our own.
    pub user_agent: Option<String>,
}

/// One image stream as an API server knows it, asked by one user.
#[derive(Clone, Debug)]
pub struct OpenShift {
    client: Client,
    base: Url,
    authorization: Option<HeaderValue>,
    namespace: String,
    stream: String,
}

/// The image that a tag of an image stream names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedImage {
    /// Where it is: the name by which it is known within the cluster.
    pub docker_reference: String,
    /// The digest of its manifest, under which its signatures are kept.
    pub image: Digest,
}

#[derive(Deserialize)]
struct ImageStream {
    #[serde(default)]
    status: Option<StreamStatus>,
}

#[derive(Deserialize)]
struct StreamStatus {
    #[serde(default)]
    tags: Option<Vec<TagEvents>>,
}

#[derive(Deserialize)]
struct TagEvents {
    #[serde(default)]
    tag: Option<String>,
    /// The newest first.
    #[serde(default)]
    items: Option<Vec<TagEvent>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagEvent {
    #[serde(default)]
    docker_image_reference: Option<String>,
    #[serde(default)]
    image: Option<String>,
}

#[derive(Deserialize)]
struct ImageStreamImage {
    #[serde(default)]
    image: Option<Image>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    signatures: Option<Vec<ImageSignature>>,
}

#[derive(Deserialize)]
struct ImageSignature {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    content: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewImageSignature {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata,
    #[serde(rename = "type")]
    signature_type: &'static str,
    content: String,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
}

impl OpenShift {
    /// Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// The server's URL is none, or the credentials cannot be sent.
    pub fn new(access: OpenShiftAccess, namespace: &str, stream: &str) -> Result<Self, RegistryError> {
        let operation = format!("using the API server {}", quoted(&access.server));
        let refused = |text: &str| RegistryError::setup(operation.clone(), text);
        let base = Url::parse(&access.server).map_err(|error| refused(&error.to_string()))?;
        let host = match (base.scheme(), base.host_str()) {
            ("http" | "https", Some(host)) => host,
            _ => return Err(refused("it is no http or https URL")),
        };
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(refused("its URL has more than a host and a path"));
        }
        let authorization = match &access.auth {
            Auth::Anonymous => Ok(None),
            Auth::Basic { username, password } => basic(username, password).map(Some),
            Auth::RegistryToken(token) | Auth::IdentityToken(token) => bearer(token).map(Some),
        };
        let domain = base.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let mut builder = Client::builder(domain)
            .tls_verify(access.tls_verify)
            .certificates(access.certificates);
        if let Some(user_agent) = access.user_agent {
            builder = builder.user_agent(user_agent);
        }
        Ok(Self {
            client: builder.build()?,
            authorization: authorization.map_err(|fault| fault.during(Subject::Other, operation.clone()))?,
            base,
            namespace: namespace.to_owned(),
            stream: stream.to_owned(),
        })
    }

    /// The image that a tag of the stream names now.
    ///
    /// Fails with [`ErrorKind::ImageNotFound`](longshore_types::ErrorKind) if the stream is not there.
    pub async fn tagged(&self, tag: &str) -> Result<Option<TaggedImage>, RegistryError> {
        let read = async {
            let path = ["namespaces", &self.namespace, "imagestreams", &self.stream];
            let (stream, line) = self.read::<ImageStream>(&path).await?;
            let tags = stream.status.and_then(|status| status.tags).unwrap_or_default();
            let named = tags.into_iter().filter(|events| events.tag.as_deref() == Some(tag));
            let newest = named.flat_map(|events| events.items.unwrap_or_default().into_iter().take(1));
            let Some(event) = newest.into_iter().next() else {
                return Ok(None);
            };
            let image = event.image.unwrap_or_default();
            let image = Digest::parse(&image).map_err(|error| {
                let text = format!("the image of tag {tag}: {error}");
                Fault::new(Problem::Malformed(text), line)
            })?;
            Ok(Some(TaggedImage {
                docker_reference: event.docker_image_reference.unwrap_or_default(),
                image,
            }))
        };
        let read: Result<_, Fault> = read.await;
        read.map_err(|fault| fault.during(Subject::Manifest, format!("reading image stream {}", self.name())))
    }

    /// The simple signing signatures of an image of the stream.
    pub async fn signatures(&self, image: &Digest) -> Result<Vec<Vec<u8>>, RegistryError> {
        let read = async {
            let name = format!("{}@{image}", self.stream);
            let path = ["namespaces", &self.namespace, "imagestreamimages", &name];
            let (found, line) = self.read::<ImageStreamImage>(&path).await?;
            let signatures = found.image.and_then(|image| image.signatures).unwrap_or_default();
            let entries = signatures.into_iter().map(|entry| (entry.kind, entry.content));
            decode(entries).map_err(|text| Fault::new(Problem::Malformed(text), line))
        };
        let read: Result<_, Fault> = read.await;
        read.map_err(|fault| {
            let operation = format!("reading signatures of {image} in {}", self.name());
            fault.during(Subject::Other, operation)
        })
    }

    /// Adds a simple signing signature to those of an image; those that it has stay.
    pub async fn add_signature(&self, image: &Digest, signature: &[u8]) -> Result<(), RegistryError> {
        let added = async {
            let signature = NewImageSignature {
                kind: "ImageSignature",
                api_version: "v1",
                metadata: Metadata { name: new_name(image)? },
                signature_type: ATOMIC,
                content: encode(signature),
            };
            let body = serde_json::to_vec(&signature).map_err(|error| setup(error.to_string()))?;
            self.call(Method::POST, &["imagesignatures"], Some(Bytes::from(body)))
                .await
        };
        added.await.map(drop).map_err(|fault| {
            let operation = format!("storing a signature of {image} in {}", self.name());
            fault.during(Subject::Other, operation)
        })
    }

    fn name(&self) -> String {
        format!("{}/{} at {}", self.namespace, self.stream, self.base)
    }

    async fn read<T: DeserializeOwned>(&self, path: &[&str]) -> Result<(T, RequestLine), Fault> {
        let (body, line) = self.call(Method::GET, path, None).await?;
        match serde_json::from_slice(&body) {
            Ok(read) => Ok((read, line)),
            Err(error) => Err(Fault::new(Problem::Malformed(error.to_string()), line)),
        }
    }

    async fn call(&self, method: Method, path: &[&str], body: Option<Bytes>) -> Result<(Bytes, RequestLine), Fault> {
        let mut url = self.base.clone();
        // Only URLs that cannot be a base refuse, and http URLs can.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["oapi", "v1"].iter().chain(path));
        }
        let mut request = Request::new(method, url);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.into());
        }
        let reply = self.client.send_patiently(request).await?;
        if !(200..=206).contains(&reply.status().as_u16()) {
            return Err(reply.refused().await);
        }
        let line = reply.line();
        Ok((reply.body(MAX_API_ANSWER).await?, line))
    }
}

/// A URL as it may be shown, even if it is none.
fn quoted(server: &str) -> String {
    match Url::parse(server) {
        Ok(url) => crate::fault::shown(&url),
        Err(_) => "that is configured".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn access(server: &str) -> OpenShiftAccess {
        OpenShiftAccess {
            server: server.to_owned(),
            auth: Auth::RegistryToken("hunter2".into()),
            certificates: Certificates::default(),
            tls_verify: true,
            user_agent: None,
        }
    }

    #[test]
    fn servers() {
        for (server, expected) in [
            ("https://h:8443", None),
            ("http://localhost:8080/", None),
            ("https://[::1]:1/prefix/", None),
            ("h:8443", Some("it is no http or https URL")),
            ("ftp://h", Some("it is no http or https URL")),
            ("https://", Some("that is configured: empty host")),
            (
                "https://me:hunter2@h/",
                Some("https://h/: its URL has more than a host and a path"),
            ),
            ("https://h/?hunter2", Some("its URL has more than a host and a path")),
        ] {
            let made = OpenShift::new(access(server), "n", "s").map_err(|error| error.to_string());
            assert!(!format!("{made:?}").contains("hunter2"), "{made:?}");
            match expected {
                None => assert!(made.is_ok(), "{server}: {made:?}"),
                Some(text) => assert!(made.unwrap_err().contains(text), "{server}"),
            }
        }
        let unsendable = OpenShiftAccess {
            auth: Auth::RegistryToken("hunter2\n".into()),
            ..access("https://h")
        };
        assert!(!format!("{unsendable:?}").contains("hunter2"));
        let error = OpenShift::new(unsendable, "n", "s").unwrap_err().to_string();
        assert!(
            error.contains("characters that no header can have") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
