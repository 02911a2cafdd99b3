//! Finding an image (CS-02).

use longshore_guest::{Error, code};
use longshore_types::{Digest, Reference};

use crate::big_data::MANIFEST;
use crate::records::{ImageRecord, Records};
use crate::reference::ImageText;
use crate::store::Stores;

/// An image, and how it was asked for.
#[derive(Debug)]
pub(crate) struct Found {
    /// Position of its store.
    pub(crate) store: usize,
    pub(crate) image: ImageRecord,
    /// The name in the reference; none if that was an ID.
    pub(crate) name: Option<Reference>,
}

impl Stores {
    /// The images of all stores; those of the first come first.
    pub(crate) fn images(&self) -> Result<Vec<(usize, ImageRecord)>, Error> {
        let _lock = self.primary().lock_to_read("images")?;
        self.images_beside(&self.primary().images()?)
    }

    /// The same for who has read those of the first store, and may hold its lock.
    fn images_beside(&self, first: &Records<ImageRecord>) -> Result<Vec<(usize, ImageRecord)>, Error> {
        let mut all: Vec<_> = first.iter().map(|image| (0, image.clone())).collect();
        for (index, store) in self.all.iter().enumerate().skip(1) {
            let _lock = store.lock_to_read("images")?;
            all.extend(store.images()?.iter().map(|image| (index, image.clone())));
        }
        Ok(all)
    }

    /// Finds the image that a reference names.
    pub(crate) fn find(&self, text: &ImageText) -> Result<Found, Error> {
        self.find_among(&self.images()?, text)
    }

    /// The same for who has read the images of the first store, and may hold its lock.
    pub(crate) fn find_beside(&self, first: &Records<ImageRecord>, text: &ImageText) -> Result<Found, Error> {
        self.find_among(&self.images_beside(first)?, text)
    }

    fn find_among(&self, images: &[(usize, ImageRecord)], text: &ImageText) -> Result<Found, Error> {
        let not_found = |id: Option<&str>| {
            let reference = self.canonical(text.name.as_ref(), id);
            let message = format!("reference \"{reference}\" does not resolve to an image ID");
            Error::new(code::IMAGE_NOT_FOUND, message)
        };
        let found = match &text.id {
            Some(id) => by_id(images, id)?,
            None => None,
        };
        let found = match (found, &text.bare) {
            (None, Some(bare)) => by_id(images, bare)?.map(|found| (found, true)),
            (found, _) => found.map(|found| (found, false)),
        };
        if let Some(((store, image), is_bare)) = found {
            let name = text.name.clone().filter(|_| !is_bare);
            if name.as_ref().is_some_and(|name| !is_in_repository(image, name)) {
                return Err(not_found(Some(&image.id)));
            }
            let (store, image) = (*store, image.clone());
            return Ok(Found { store, image, name });
        }
        let named = match (&text.id, &text.name) {
            (None, Some(name)) => by_name(images, name).or_else(|| by_digest(images, name)),
            _ => None,
        };
        match named {
            Some((store, image)) => Ok(Found {
                store: *store,
                image: image.clone(),
                name: text.name.clone(),
            }),
            None => Err(not_found(
                text.id
                    .as_deref()
                    .or(text.bare.as_deref().filter(|_| text.name.is_none())),
            )),
        }
    }
}

type Image = (usize, ImageRecord);

/// By an ID or the beginning of one, which must be that of one image only.
fn by_id<'a>(images: &'a [Image], id: &str) -> Result<Option<&'a Image>, Error> {
    if let Some(exact) = images.iter().find(|(_, image)| image.id == id) {
        return Ok(Some(exact));
    }
    let mut matching = images.iter().filter(|(_, image)| image.id.starts_with(id));
    let found = matching.next();
    match (
        found,
        matching.find(|(_, image)| found.is_none_or(|found| found.1.id != image.id)),
    ) {
        (Some(_), Some(_)) => Err(Error::invalid_reference(format_args!(
            "\"{id}\" is the beginning of several image IDs"
        ))),
        (found, _) => Ok(found),
    }
}

fn by_name<'a>(images: &'a [Image], name: &Reference) -> Option<&'a Image> {
    let name = name.to_string();
    images.iter().find(|(_, image)| image.names.contains(&name))
}

/// An image of the same repository that has a manifest with the digest of the reference.
fn by_digest<'a>(images: &'a [Image], name: &Reference) -> Option<&'a Image> {
    let digest = name.digest()?;
    let matches = |image: &ImageRecord| has_manifest(image, digest) && is_in_repository(image, name);
    images.iter().find(|(_, image)| matches(image))
}

fn has_manifest(image: &ImageRecord, digest: &Digest) -> bool {
    let manifests = image
        .big_data_digests
        .iter()
        .filter(|(key, _)| key.starts_with(MANIFEST));
    let mut digests = manifests.map(|(_, digest)| digest).chain([&image.digest]);
    digests.any(|found| found == digest.as_str())
}

fn is_in_repository(image: &ImageRecord, name: &Reference) -> bool {
    let repository = name.name();
    let mut names = image
        .names
        .iter()
        .filter_map(|name| Reference::parse_normalized(name).ok());
    names.any(|name| name.name() == repository)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn image(id: &str, names: &[&str], digests: &[(&str, &str)]) -> Image {
        let image = ImageRecord {
            id: id.to_owned(),
            names: names.iter().map(ToString::to_string).collect(),
            big_data_digests: digests
                .iter()
                .map(|(key, digest)| (key.to_string(), digest.to_string()))
                .collect(),
            ..ImageRecord::default()
        };
        (0, image)
    }

    #[test]
    fn ids_and_their_beginnings() {
        let images = [
            image("abcd11", &[], &[]),
            image("abcd22", &[], &[]),
            image("abcd", &[], &[]),
            image("beef00", &[], &[]),
            // The same image in another store.
            image("beef00", &[], &[]),
        ];
        for (id, found) in [
            ("abcd1", Ok(Some("abcd11"))),
            ("abcd", Ok(Some("abcd"))),
            ("abc", Err(())),
            ("beef", Ok(Some("beef00"))),
            ("dead", Ok(None)),
        ] {
            let result = by_id(&images, id);
            let result = result
                .map(|found| found.map(|(_, image)| image.id.as_str()))
                .map_err(|_| ());
            assert_eq!(result, found, "{id}");
        }
    }

    #[test]
    fn names_and_digests() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let (one, two, config) = (digest("a"), digest("b"), digest("c"));
        let images = [
            image(
                "abcd11",
                &["docker.io/library/x:1", "quay.io/y:1"],
                &[("manifest", &one), ("manifest-list", &two), ("config", &config)],
            ),
            image("abcd22", &["docker.io/library/x:2"], &[]),
        ];
        for (text, found) in [
            ("x:1".to_owned(), Some("abcd11")),
            ("x:2".to_owned(), Some("abcd22")),
            ("x".to_owned(), None),
            ("quay.io/y:1".to_owned(), Some("abcd11")),
            (format!("x@{one}"), Some("abcd11")),
            (format!("x:9@{two}"), Some("abcd11")),
            (format!("x@{config}"), None),
            (format!("z@{one}"), None),
        ] {
            let name = Reference::parse_normalized(&text).unwrap().with_default_tag();
            let result = by_name(&images, &name).or_else(|| by_digest(&images, &name));
            assert_eq!(result.map(|(_, image)| image.id.as_str()), found, "{text}");
        }
    }
}
