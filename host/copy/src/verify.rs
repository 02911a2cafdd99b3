//! Asking the policy without a copy.

use longshore_types::{Algorithm, Digest, PlatformWish};

use crate::error::CopyError;
use crate::image::{read_instance, select_instance};
use crate::list;
use crate::open;
use crate::options::Instances;
use crate::policy::{Explanation, SignaturePolicy};
use crate::transport::Purpose;
use crate::transports::{Endpoint, Transports};

/// What the policy made of an image, or of the images of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// `transport:reference`.
    pub name: String,
    /// The SHA-256 digest of what the reference names.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Whether that is a list. It is not judged itself, only its images are (P-04).
    pub is_list: bool,
    /// What was judged: the image itself, or images of the list in its order.
    pub images: Vec<Explanation>,
}

impl Verification {
    /// Whether a copy would be allowed.
    ///
    /// # Errors
    ///
    /// Why the first image that is not accepted is not, or that there was none to judge.
    pub fn result(&self) -> Result<(), CopyError> {
        if self.images.is_empty() {
            return Err(CopyError::Rejected(format!("no image of {} was judged", self.name)));
        }
        self.images.iter().try_for_each(Explanation::result)
    }
}

impl SignaturePolicy {
    /// Judges what a copy with these choices would read, as it would, and explains the verdict. Layers are not read.
    ///
    /// # Errors
    ///
    /// The image cannot be read or its signatures cannot be. That it is not accepted is no error here:
    /// [`Verification::result`] says it.
    pub async fn verify(
        &self,
        transports: &Transports,
        image: &Endpoint,
        platform: &PlatformWish,
        instances: &Instances,
    ) -> Result<Verification, CopyError> {
        let location = transports.locate(image, Purpose::Source).await?;
        let opened = open::source(location, self).await?;
        let source = opened.source.as_ref();
        let mut images = Vec::new();
        if *instances == Instances::System || !opened.top.is_list() {
            let selected = select_instance(source, opened.top.clone(), platform).await?;
            images.push(opened.explain(self, &selected).await?);
        } else {
            for entry in list::wanted(&list::parsed(&opened, instances)?, instances)? {
                let selected = read_instance(source, &opened.top, entry).await?;
                images.push(opened.explain(self, &selected).await?);
            }
        }
        Ok(Verification {
            digest: opened.top.digest(Algorithm::Sha256),
            media_type: opened.top.media_type().to_owned(),
            is_list: opened.top.is_list(),
            name: opened.name,
            images,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use longshore_types::{PlatformWish, media_type};

    use super::Verification;
    use crate::error::{CopyError, chain};
    use crate::fakes::{Answer, FakeEvaluators, FakeImage, FakeStore, transports};
    use crate::options::Instances;
    use crate::policy::SignaturePolicy;

    async fn verify(
        image: FakeImage,
        policy: &SignaturePolicy,
        instances: &Instances,
    ) -> Result<Verification, CopyError> {
        let (transports, source, _) = transports(image, &Arc::new(FakeStore::default()));
        let platform = PlatformWish::running();
        policy.verify(&transports, &source, &platform, instances).await
    }

    fn signed() -> FakeImage {
        FakeImage {
            signatures: vec![b"\x90abc".to_vec()],
            ..FakeImage::oci(&[], &[])
        }
    }

    #[tokio::test]
    async fn every_answer_is_told() {
        let rows: [(Answer, Result<&str, &str>); 4] = [
            (Answer::Accept, Ok("")),
            (
                Answer::Reject,
                Err("Source image rejected: Running image fake:source is rejected by policy."),
            ),
            (Answer::RejectFor(&["A"]), Err("Source image rejected: A")),
            (
                Answer::Fail,
                Err(
                    "Source image rejected: evaluating the signature policy for fake:source: policy requirement \
                     \"insecureAcceptAnything\": out of order",
                ),
            ),
        ];
        for (answer, expected) in rows {
            let policy = FakeEvaluators::answering(answer).policy();
            let verification = verify(signed(), &policy, &Instances::System).await.unwrap();
            let told = verification.result().map(|()| "").map_err(|error| chain(&error));
            assert_eq!(told, expected.map_err(str::to_owned));
            let [explanation] = &verification.images[..] else {
                panic!("{verification:?}")
            };
            assert_eq!(explanation.manifest_digest, signed().manifest_digest());
            assert_eq!(explanation.scopes, ["source", ""]);
            assert_eq!(explanation.scope, None);
            assert_eq!(explanation.signatures[0].size, 4);
            assert_eq!(explanation.requirements[0].is_accepted(), expected.is_ok());
        }
    }

    #[tokio::test]
    async fn a_list_is_known_by_its_images() {
        let policy = FakeEvaluators::answering(Answer::Accept).policy();
        for (instances, judged) in [(Instances::System, 1), (Instances::All, 1), (Instances::ListOnly, 0)] {
            let image = signed().listed(|index| index);
            let verification = verify(image, &policy, &instances).await.unwrap();
            assert!(verification.is_list);
            assert_eq!(verification.media_type, media_type::OCI_INDEX);
            assert_eq!(verification.images.len(), judged, "{instances:?}");
            assert_eq!(verification.result().is_ok(), judged > 0, "{instances:?}");
            for explanation in &verification.images {
                assert_eq!(explanation.manifest_digest, signed().manifest_digest());
            }
        }
    }

    #[tokio::test]
    async fn a_signature_can_be_demanded() {
        for (answer, accepted) in [(Answer::Accept, false), (Answer::AcceptSigned, true)] {
            let policy = FakeEvaluators::answering(answer).policy().require_signed(true);
            let verification = verify(signed(), &policy, &Instances::System).await.unwrap();
            match verification.result() {
                Ok(()) => assert!(accepted, "{answer:?}"),
                Err(error) => {
                    let expected =
                        "Source image rejected: No signature verification policy found for image fake:source";
                    assert_eq!((error.to_string().as_str(), accepted), (expected, false));
                }
            }
        }
    }
}
