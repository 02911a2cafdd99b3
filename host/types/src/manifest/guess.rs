//! What kind of manifest a document is, by its content alone.

use super::{Kind, ManifestError};
use crate::json::Object;
use crate::media_type::{
    self, DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, DOCKER_V1, DOCKER_V1_SIGNED, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST,
};

/// The media type of a document by formats 0.2; empty if it is no manifest.
///
/// One rule is our own: an empty `manifests` without a `config` is an index, where the reference tools see a broken OCI
/// manifest.
pub(super) fn media_type(object: &Object) -> &'static str {
    by_members(object).unwrap_or_default()
}

fn by_members(object: &Object) -> Option<&'static str> {
    let embedded: String = object.get("mediaType").ok()?.unwrap_or_default();
    let version: i64 = object.get("schemaVersion").ok()?.unwrap_or_default();
    if let Some(known) = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX]
        .into_iter()
        .find(|known| *known == embedded)
    {
        return Some(known);
    }
    match version {
        1 if object.has("signatures") => Some(DOCKER_V1_SIGNED),
        1 => Some(DOCKER_V1),
        2 => {
            let config: Option<Object> = object.get("config").ok()?;
            let config_type: String = config
                .as_ref()
                .map_or(Ok(None), |config| config.get("mediaType"))
                .ok()?
                .unwrap_or_default();
            Some(match config_type.as_str() {
                OCI_CONFIG => OCI_MANIFEST,
                DOCKER_CONFIG => DOCKER_MANIFEST,
                _ if config.is_none() && object.has("manifests") => OCI_INDEX,
                _ => OCI_MANIFEST,
            })
        }
        _ => None,
    }
}

/// Members that tell the kinds of manifest apart.
const TELLING: [&str; 5] = ["config", "fsLayers", "history", "layers", "manifests"];
/// All members that say what a manifest is and holds.
const KNOWN: [&str; 8] = [
    "config",
    "fsLayers",
    "history",
    "layers",
    "manifests",
    "schemaVersion",
    "mediaType",
    "signatures",
];

/// Refuses a document that another reader could take for another kind of manifest (MC-12).
///
/// Go compares names without regard to case, others do not: so a name that differs from a known one only in case is
/// refused in any kind.
pub(super) fn refuse_ambiguous(object: &Object, media_type: &str) -> Result<(), ManifestError> {
    let allowed: &[&str] = match media_type {
        DOCKER_V1 | DOCKER_V1_SIGNED => &["fsLayers", "history"],
        DOCKER_MANIFEST | OCI_MANIFEST => &["config", "layers"],
        DOCKER_LIST | OCI_INDEX => &["manifests"],
        _ => return Ok(()),
    };
    let fields: Vec<String> = object
        .keys()
        .filter(|key| (TELLING.contains(key) && object.has(key) && !allowed.contains(key)) || differs_in_case_only(key))
        .map(|key| key.chars().take(80).collect())
        .collect();
    if !fields.is_empty() {
        return Err(ManifestError::Ambiguous {
            fields,
            media_type: media_type.to_owned(),
        });
    }
    refuse_other_type(object, media_type)
}

/// Refuses a document that names itself as another kind of manifest than it is taken for.
///
/// Schema 1 is left out: a registry that does not know its manifests' types has all of them taken for it (MC-11), and
/// the type alone then tells.
fn refuse_other_type(object: &Object, media_type: &str) -> Result<(), ManifestError> {
    let embedded: String = object.get("mediaType").ok().flatten().unwrap_or_default();
    if Kind::of(media_type).is_some() && media_type::is_manifest(&embedded) && embedded != media_type {
        return Err(ManifestError::TypeMismatch {
            embedded,
            media_type: media_type.to_owned(),
        });
    }
    Ok(())
}

/// Whether Go's decoder takes a name for one that is known although it is another: Go ignores case, and folds two
/// characters to ASCII letters as Unicode does.
fn differs_in_case_only(name: &str) -> bool {
    KNOWN.iter().any(|known| {
        *known != name
            && known.len() <= name.len()
            && known
                .bytes()
                .map(|byte| char::from(byte.to_ascii_lowercase()))
                .eq(name.chars().map(|character| match character {
                    '\u{17f}' => 's',
                    '\u{212a}' => 'k',
                    other => other.to_ascii_lowercase(),
                }))
    })
}
