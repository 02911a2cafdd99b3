use longshore_types::{Descriptor, ImageManifest, Kind, ManifestError, RawManifest, media_type};

use crate::error::CopyError;

/// What manifest types are tried for, in a preference that does not depend on the destination (MC-02).
const ANY: [Kind; 2] = [Kind::Oci, Kind::Docker];

/// What decides on the manifest's type.
pub(crate) struct TypeChoice<'a> {
    /// The source's type.
    pub(crate) source: Kind,
    /// Media types that the destination accepts, the preferred first; empty: any.
    pub(crate) accepted: &'a [String],
    /// What the user demands.
    pub(crate) format: Option<Kind>,
    /// Only OCI's type will do (MC-04).
    pub(crate) needs_oci: bool,
    /// Why the manifest must stay as it is, if it must.
    pub(crate) unmodifiable: Option<&'static str>,
    /// The destination, for errors.
    pub(crate) name: &'a str,
}

impl TypeChoice<'_> {
    /// The types to try, the preferred first; at least one (MC-01 to MC-03).
    pub(crate) fn candidates(&self) -> Result<Vec<Kind>, CopyError> {
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

    fn by_destination(&self) -> Vec<Kind> {
        let own = self.accepted.iter().filter_map(|media_type| image_kind(media_type));
        let preferred = [self.source, Kind::Docker]
            .into_iter()
            .filter(|kind| self.accepts(*kind));
        let ordered: Vec<Kind> = if self.accepted.is_empty() {
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

    fn accepts(&self, kind: Kind) -> bool {
        let suits = kind == Kind::Oci || !self.needs_oci;
        suits && (self.accepted.is_empty() || self.accepted.iter().any(|media_type| media_type == kind.image_type()))
    }

    fn refused(&self, kind: Kind) -> CopyError {
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

/// The kind that a media type of single images belongs to.
fn image_kind(media_type: &str) -> Option<Kind> {
    Kind::of(media_type).filter(|kind| kind.image_type() == media_type)
}

/// The manifest to write as `kind`. `layers` replaces the source's layers; without it and in the source's own type the very bytes stay.
pub(crate) fn render(
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
    use longshore_types::{Kind, media_type};

    use super::TypeChoice;
    use crate::error::CopyError;

    const OCI: &str = media_type::OCI_MANIFEST;
    const DOCKER: &str = media_type::DOCKER_MANIFEST;
    const INDEX: &str = media_type::OCI_INDEX;

    fn choose(
        source: Kind,
        accepted: &[&str],
        format: Option<Kind>,
        unmodifiable: Option<&'static str>,
    ) -> Result<Vec<Kind>, &'static str> {
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
        type Row<'a> = (Kind, &'a [&'a str], Option<Kind>, &'a [Kind]);
        let rows: [Row<'_>; 9] = [
            (Kind::Oci, &[], None, &[Kind::Oci, Kind::Docker]),
            (Kind::Docker, &[], None, &[Kind::Docker, Kind::Oci]),
            (Kind::Docker, &[OCI, INDEX], None, &[Kind::Oci]),
            (Kind::Oci, &[OCI, DOCKER, INDEX], None, &[Kind::Oci, Kind::Docker]),
            (Kind::Docker, &[OCI, DOCKER, INDEX], None, &[Kind::Docker, Kind::Oci]),
            (Kind::Oci, &[INDEX, DOCKER], None, &[Kind::Docker]),
            (Kind::Docker, &[], Some(Kind::Oci), &[Kind::Oci]),
            (Kind::Docker, &[OCI, DOCKER], Some(Kind::Oci), &[Kind::Oci]),
            (Kind::Oci, &["application/x-thing", OCI], None, &[Kind::Oci]),
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
            Kind,
            &'a [&'a str],
            Option<Kind>,
            Option<&'static str>,
            Result<Vec<Kind>, &'static str>,
        );
        let rows: [Row<'_>; 6] = [
            (Kind::Oci, &[INDEX], None, None, Err("refused")),
            (Kind::Oci, &[OCI], Some(Kind::Docker), None, Err("refused")),
            (Kind::Oci, &[DOCKER], None, Some("why"), Err("why")),
            (Kind::Oci, &[], Some(Kind::Docker), Some("why"), Err("why")),
            (Kind::Oci, &[], Some(Kind::Oci), Some("why"), Ok(vec![Kind::Oci])),
            (Kind::Docker, &[OCI, DOCKER], None, Some("why"), Ok(vec![Kind::Docker])),
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
            Kind,
            &'a [&'a str],
            Option<Kind>,
            Option<&'static str>,
            Result<Vec<Kind>, &'static str>,
        );
        let rows: [Row<'_>; 7] = [
            (Kind::Docker, &[], None, None, Ok(vec![Kind::Oci])),
            (Kind::Oci, &[], None, None, Ok(vec![Kind::Oci])),
            (Kind::Docker, &[DOCKER, OCI], None, None, Ok(vec![Kind::Oci])),
            (Kind::Docker, &[DOCKER], None, None, Err("refused")),
            (Kind::Docker, &[], Some(Kind::Docker), None, Err("refused")),
            (Kind::Docker, &[], None, Some("why"), Err("why")),
            (Kind::Oci, &[], Some(Kind::Oci), Some("why"), Ok(vec![Kind::Oci])),
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
