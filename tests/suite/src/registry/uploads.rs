//! Upload sessions and mounts.

use bytes::Bytes;
use hyper::StatusCode;

use super::serve::{Answer, error};
use super::state::{Locations, Request, State, Upload};
use crate::sha256;

impl State {
    pub(super) fn uploads(&mut self, request: &Request, name: &str, session: &str, body: Bytes, host: &str) -> Answer {
        if request.method == "POST" && session.is_empty() {
            return self.start_upload(request, name, host);
        }
        let known = self
            .uploads
            .get(session)
            .is_some_and(|upload| upload.repository == name);
        if !known {
            return error(
                StatusCode::NOT_FOUND,
                "BLOB_UPLOAD_UNKNOWN",
                "upload unknown to registry",
            );
        }
        if request.parameters("_state") != ["kept"] {
            return error(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", "the query was not kept");
        }
        match request.method.as_str() {
            "PATCH" => self.append(name, session, &body, host),
            "PUT" => self.finish_upload(request, name, session, &body),
            "GET" => self.describe(StatusCode::NO_CONTENT, name, session, host),
            "DELETE" => {
                self.uploads.remove(session);
                Answer::new(StatusCode::NO_CONTENT)
            }
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "no such method here"),
        }
    }

    fn start_upload(&mut self, request: &Request, name: &str, host: &str) -> Answer {
        let mounted = request.parameters("mount").pop().zip(request.parameters("from").pop());
        if let Some((digest, from)) = mounted
            && self.may_read(request, &from)
            && let Some(bytes) = self
                .repositories
                .get(&from)
                .and_then(|from| from.blobs.get(&digest))
                .cloned()
        {
            self.repository(name).blobs.insert(digest.clone(), bytes);
            return Answer::new(StatusCode::CREATED)
                .header("location", &format!("/v2/{name}/blobs/{digest}"))
                .header("docker-content-digest", &digest);
        }
        self.sessions += 1;
        let session = format!("session-{}", self.sessions);
        let upload = Upload {
            repository: name.to_owned(),
            ..Upload::default()
        };
        self.uploads.insert(session.clone(), upload);
        self.describe(StatusCode::ACCEPTED, name, &session, host)
    }

    fn append(&mut self, name: &str, session: &str, body: &[u8], host: &str) -> Answer {
        if let Some(upload) = self.uploads.get_mut(session) {
            upload.received.extend_from_slice(body);
        }
        self.describe(StatusCode::ACCEPTED, name, session, host)
    }

    fn finish_upload(&mut self, request: &Request, name: &str, session: &str, body: &[u8]) -> Answer {
        let Some(mut upload) = self.uploads.remove(session) else {
            return error(
                StatusCode::NOT_FOUND,
                "BLOB_UPLOAD_UNKNOWN",
                "upload unknown to registry",
            );
        };
        upload.received.extend_from_slice(body);
        let bytes = upload.received.freeze();
        let digest = sha256(&bytes);
        if request.parameters("digest") != [digest.as_str()] {
            return error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "provided digest did not match",
            );
        }
        self.repository(name).blobs.insert(digest.clone(), bytes);
        Answer::new(StatusCode::CREATED)
            .header("location", &format!("/v2/{name}/blobs/{digest}"))
            .header("docker-content-digest", &digest)
    }

    fn describe(&self, status: StatusCode, name: &str, session: &str, host: &str) -> Answer {
        let path = format!("/v2/{name}/blobs/uploads/{session}?_state=kept");
        let location = match self.locations {
            Locations::Absolute => format!("http://{host}{path}"),
            Locations::Relative => path,
        };
        let received = self.uploads.get(session).map_or(0, |upload| upload.received.len());
        Answer::new(status)
            .header("location", &location)
            .header("range", &format!("0-{}", received.saturating_sub(1)))
            .header("docker-upload-uuid", session)
    }
}
