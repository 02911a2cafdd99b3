use longshore_types::{Descriptor, ImageFormat, ImageManifest, Kind, ManifestError, RawManifest, media_type};

use crate::blob::Shared;
use crate::error::CopyError;
use crate::open::AcceptedImage;
use crate::schema_one::{Rendered, from_schema_one, to_schema_one};

/// What manifest types are tried for, in a preference that does not depend on the destination (MC-02).
const ANY: [ImageFormat; 3] = [ImageFormat::Oci, ImageFormat::Docker, ImageFormat::SchemaOne];

/// What decides on the manifest's type.
pub(crate) struct TypeChoice<'a> {
    /// The source's type.
    pub(crate) source: ImageFormat,
    /// Media types that the destination accepts, the preferred first; empty: any.
    pub(crate) accepted: &'a [String],
    /// What the user demands.
    pub(crate) format: Option<ImageFormat>,
    /// Only OCI's type will do (MC-04).
    pub(crate) needs_oci: bool,
    /// Why the manifest must stay as it is, if it must.
    pub(crate) unmodifiable: Option<&'static str>,
    /// The destination, for errors.
    pub(crate) name: &'a str,
}

impl TypeChoice<'_> {
    /// The types to try, the preferred first; at least one (MC-01 to MC-03).
    pub(crate) fn candidates(&self) -> Result<Vec<ImageFormat>, CopyError> {
        let list = match self.format {
            Some(format) if self.accepts(format) => vec![format],
            Some(format) => return Err(self.refused(format)),
            None => self.by_destination(),
        };
        let first = *list.first().ok_or_else(|| self.refused(self.source))?;
        match self.unmodifiable {
            Some(reason) if first != self.source => Err(CopyError::Unmodifiable {
                media_type: first.image_type().to_owned(),
                name: self.name.to_owned(),
                reason,
            }),
            Some(_) => Ok(vec![first]),
            None => Ok(list),
        }
    }

    fn by_destination(&self) -> Vec<ImageFormat> {
        let own = self
            .accepted
            .iter()
            .filter_map(|media_type| ImageFormat::of(media_type));
        let preferred = [self.source, ImageFormat::Docker, ImageFormat::SchemaOne]
            .into_iter()
            .filter(|kind| self.accepts(*kind));
        let ordered: Vec<ImageFormat> = if self.accepted.is_empty() {
            let any = [self.source].into_iter().chain(ANY);
            any.filter(|kind| self.accepts(*kind)).collect()
        } else {
            preferred.chain(own.filter(|kind| self.accepts(*kind))).collect()
        };
        let mut list = Vec::new();
        for kind in ordered {
            if !list.contains(&kind) {
                list.push(kind);
            }
        }
        list
    }

    fn accepts(&self, kind: ImageFormat) -> bool {
        let suits = kind == ImageFormat::Oci || !self.needs_oci;
        suits
            && (self.accepted.is_empty()
                || self
                    .accepted
                    .iter()
                    .any(|media_type| ImageFormat::of(media_type) == Some(kind)))
    }

    fn refused(&self, kind: ImageFormat) -> CopyError {
        CopyError::ManifestType {
            name: self.name.to_owned(),
            media_type: kind.image_type().to_owned(),
        }
    }
}

/// What decides on the type of a list (MC-03, M-05).
pub(crate) struct ListChoice<'a> {
    /// The source's type.
    pub(crate) source: Kind,
    /// Media types that the destination accepts, the preferred first; empty: any.
    pub(crate) accepted: &'a [String],
    /// What the user demands of the images.
    pub(crate) format: Option<Kind>,
    /// Why the list must stay as it is, if it must.
    pub(crate) unmodifiable: Option<&'static str>,
    /// The destination, for errors.
    pub(crate) name: &'a str,
}

impl ListChoice<'_> {
    /// The types to try, the preferred first; at least one.
    pub(crate) fn candidates(&self) -> Result<Vec<Kind>, CopyError> {
        let accepts =
            |kind: &Kind| self.accepted.is_empty() || self.accepted.iter().any(|name| name == kind.list_type());
        let other = match self.source {
            Kind::Oci => Kind::Docker,
            Kind::Docker => Kind::Oci,
        };
        let mut list = match self.format {
            Some(format) => vec![format],
            None => vec![self.source, other],
        };
        let wanted = list[0];
        list.retain(accepts);
        let Some(first) = list.first().copied() else {
            return Err(CopyError::ManifestType {
                name: self.name.to_owned(),
                media_type: wanted.list_type().to_owned(),
            });
        };
        match self.unmodifiable {
            Some(reason) if first != self.source => Err(CopyError::UnmodifiableList {
                media_type: first.list_type().to_owned(),
                name: self.name.to_owned(),
                reason,
            }),
            Some(_) => Ok(vec![first]),
            None => Ok(list),
        }
    }
}

/// The manifest to write in `format`, with the blobs that only this form needs brought to the destination. `layers` replaces the source's layers;
/// without it and in the source's own format the very bytes stay.
pub(crate) async fn render(
    shared: &Shared<'_>,
    image: &AcceptedImage,
    format: ImageFormat,
    layers: Option<&[Descriptor]>,
) -> Result<Rendered, CopyError> {
    let kind = match format {
        ImageFormat::SchemaOne => return to_schema_one(shared, image, layers).await,
        ImageFormat::Docker => Kind::Docker,
        ImageFormat::Oci => Kind::Oci,
    };
    match &image.schema_one {
        Some(original) => from_schema_one(shared, image, original, kind, layers).await,
        None => {
            let rendered = with_config(kind, &image.selected.manifest, &image.manifest, layers);
            rendered.map(Rendered::from).map_err(|source| CopyError::Convert {
                media_type: format.image_type().to_owned(),
                source,
            })
        }
    }
}

fn with_config(
    kind: Kind,
    raw: &RawManifest,
    image: &ImageManifest,
    layers: Option<&[Descriptor]>,
) -> Result<RawManifest, ManifestError> {
    if kind == image.kind {
        return match layers {
            None => Ok(raw.clone()),
            Some(layers) => {
                if kind == Kind::Docker {
                    require_docker_types(layers)?;
                }
                image.with_layers(layers.to_vec()).to_raw()
            }
        };
    }
    let edited = layers.map(|layers| image.with_layers(layers.to_vec()));
    edited.as_ref().unwrap_or(image).convert(kind)?.to_raw()
}

/// Refuses layers that were compressed in a way that Docker has no type for (MC-08). Types that are no layer's at all are
/// what the source has.
fn require_docker_types(layers: &[Descriptor]) -> Result<(), ManifestError> {
    let known = layers
        .iter()
        .filter(|layer| media_type::layer(&layer.media_type).is_some());
    for layer in known {
        media_type::to_docker(&layer.media_type)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use longshore_types::{ImageFormat, media_type};

    use super::TypeChoice;
    use crate::error::CopyError;

    const OCI: &str = media_type::OCI_MANIFEST;
    const DOCKER: &str = media_type::DOCKER_MANIFEST;
    const INDEX: &str = media_type::OCI_INDEX;
    const SIGNED: &str = media_type::DOCKER_V1_SIGNED;
    const UNSIGNED: &str = media_type::DOCKER_V1;
    const V1: ImageFormat = ImageFormat::SchemaOne;

    fn choose(
        source: ImageFormat,
        accepted: &[&str],
        format: Option<ImageFormat>,
        unmodifiable: Option<&'static str>,
    ) -> Result<Vec<ImageFormat>, &'static str> {
        let accepted: Vec<String> = accepted.iter().map(|name| (*name).to_owned()).collect();
        let choice = TypeChoice {
            source,
            accepted: &accepted,
            format,
            needs_oci: false,
            unmodifiable,
            name: "fake:x",
        };
        choice.candidates().map_err(|error| match error {
            CopyError::Unmodifiable { reason, .. } => reason,
            CopyError::ManifestType { .. } => "refused",
            _ => "another error",
        })
    }

    #[test]
    fn candidates() {
        type Row<'a> = (ImageFormat, &'a [&'a str], Option<ImageFormat>, &'a [ImageFormat]);
        let rows: [Row<'_>; 16] = [
            (
                ImageFormat::Oci,
                &[],
                None,
                &[ImageFormat::Oci, ImageFormat::Docker, V1],
            ),
            (
                ImageFormat::Docker,
                &[],
                None,
                &[ImageFormat::Docker, ImageFormat::Oci, V1],
            ),
            (V1, &[], None, &[V1, ImageFormat::Oci, ImageFormat::Docker]),
            (
                V1,
                &[OCI, DOCKER, SIGNED, UNSIGNED],
                None,
                &[V1, ImageFormat::Docker, ImageFormat::Oci],
            ),
            (
                ImageFormat::Oci,
                &[OCI, DOCKER, SIGNED],
                None,
                &[ImageFormat::Oci, ImageFormat::Docker, V1],
            ),
            (
                ImageFormat::Docker,
                &[OCI, DOCKER, SIGNED],
                None,
                &[ImageFormat::Docker, V1, ImageFormat::Oci],
            ),
            (V1, &[OCI, INDEX], None, &[ImageFormat::Oci]),
            (ImageFormat::Oci, &[OCI, SIGNED], Some(V1), &[V1]),
            (ImageFormat::Oci, &[OCI, UNSIGNED], Some(V1), &[V1]),
            (ImageFormat::Docker, &[OCI, INDEX], None, &[ImageFormat::Oci]),
            (
                ImageFormat::Oci,
                &[OCI, DOCKER, INDEX],
                None,
                &[ImageFormat::Oci, ImageFormat::Docker],
            ),
            (
                ImageFormat::Docker,
                &[OCI, DOCKER, INDEX],
                None,
                &[ImageFormat::Docker, ImageFormat::Oci],
            ),
            (ImageFormat::Oci, &[INDEX, DOCKER], None, &[ImageFormat::Docker]),
            (ImageFormat::Docker, &[], Some(ImageFormat::Oci), &[ImageFormat::Oci]),
            (
                ImageFormat::Docker,
                &[OCI, DOCKER],
                Some(ImageFormat::Oci),
                &[ImageFormat::Oci],
            ),
            (
                ImageFormat::Oci,
                &["application/x-thing", OCI],
                None,
                &[ImageFormat::Oci],
            ),
        ];
        for (source, accepted, format, expected) in rows {
            assert_eq!(
                choose(source, accepted, format, None).as_deref(),
                Ok(expected),
                "{source:?} {accepted:?} {format:?}"
            );
        }
    }

    #[test]
    fn refusals() {
        type Row<'a> = (
            ImageFormat,
            &'a [&'a str],
            Option<ImageFormat>,
            Option<&'static str>,
            Result<Vec<ImageFormat>, &'static str>,
        );
        let rows: [Row<'_>; 8] = [
            (ImageFormat::Oci, &[INDEX], None, None, Err("refused")),
            (ImageFormat::Oci, &[OCI, INDEX], Some(V1), None, Err("refused")),
            (V1, &[OCI, INDEX], None, Some("why"), Err("why")),
            (
                ImageFormat::Oci,
                &[OCI],
                Some(ImageFormat::Docker),
                None,
                Err("refused"),
            ),
            (ImageFormat::Oci, &[DOCKER], None, Some("why"), Err("why")),
            (
                ImageFormat::Oci,
                &[],
                Some(ImageFormat::Docker),
                Some("why"),
                Err("why"),
            ),
            (
                ImageFormat::Oci,
                &[],
                Some(ImageFormat::Oci),
                Some("why"),
                Ok(vec![ImageFormat::Oci]),
            ),
            (
                ImageFormat::Docker,
                &[OCI, DOCKER],
                None,
                Some("why"),
                Ok(vec![ImageFormat::Docker]),
            ),
        ];
        for (source, accepted, format, unmodifiable, expected) in rows {
            assert_eq!(
                choose(source, accepted, format, unmodifiable),
                expected,
                "{source:?} {accepted:?} {format:?}"
            );
        }
    }

    #[test]
    fn what_only_oci_can_name_leaves_only_oci() {
        type Row<'a> = (
            ImageFormat,
            &'a [&'a str],
            Option<ImageFormat>,
            Option<&'static str>,
            Result<Vec<ImageFormat>, &'static str>,
        );
        let rows: [Row<'_>; 7] = [
            (ImageFormat::Docker, &[], None, None, Ok(vec![ImageFormat::Oci])),
            (ImageFormat::Oci, &[], None, None, Ok(vec![ImageFormat::Oci])),
            (
                ImageFormat::Docker,
                &[DOCKER, OCI],
                None,
                None,
                Ok(vec![ImageFormat::Oci]),
            ),
            (ImageFormat::Docker, &[DOCKER], None, None, Err("refused")),
            (
                ImageFormat::Docker,
                &[],
                Some(ImageFormat::Docker),
                None,
                Err("refused"),
            ),
            (ImageFormat::Docker, &[], None, Some("why"), Err("why")),
            (
                ImageFormat::Oci,
                &[],
                Some(ImageFormat::Oci),
                Some("why"),
                Ok(vec![ImageFormat::Oci]),
            ),
        ];
        for (source, accepted, format, unmodifiable, expected) in rows {
            let accepted: Vec<String> = accepted.iter().map(|name| (*name).to_owned()).collect();
            let choice = TypeChoice {
                source,
                accepted: &accepted,
                format,
                needs_oci: true,
                unmodifiable,
                name: "fake:x",
            };
            let found = choice.candidates().map_err(|error| match error {
                CopyError::Unmodifiable { reason, .. } => reason,
                _ => "refused",
            });
            assert_eq!(found, expected, "{source:?} {accepted:?} {format:?} {unmodifiable:?}");
        }
    }
}
