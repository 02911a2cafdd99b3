//! The grammar of the requirement (RQ-06 to RQ-10).

use longshore_policy::{Members, SignedIdentity, decode_base64};

pub(crate) const SIGSTORE_SIGNED: &str = "sigstoreSigned";

/// Most files that one requirement may name: the host reads no more.
const MAX_FILES: usize = 16;

/// A requirement that is well-formed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) signer: Signer,
    pub(crate) identity: SignedIdentity,
}

/// Whose signatures count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// Who has one of some keys; if there is a log, it must have the signature.
    Keys { keys: Material, log: Option<Material> },
    /// Whom a Fulcio server certified when the log took the signature (RQ-07).
    Fulcio {
        authorities: Material,
        issuer: String,
        email: String,
        log: Material,
    },
    /// Whom another authority has certified (RQ-08).
    Pki {
        roots: Material,
        intermediates: Option<Material>,
        email: Option<String>,
        host_name: Option<String>,
    },
}

/// Documents in PEM form that the requirement holds, or names by path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Material {
    Files(Vec<String>),
    Inline(Vec<Vec<u8>>),
}

impl Material {
    /// The documents; `files` has what the host read.
    pub(crate) fn documents<'d>(&'d self, files: &'d [(String, Vec<u8>)]) -> Result<Vec<&'d [u8]>, String> {
        match self {
            Self::Inline(documents) => Ok(documents.iter().map(Vec::as_slice).collect()),
            Self::Files(paths) => paths
                .iter()
                .map(|path| {
                    let found = files.iter().find(|(name, _)| name == path);
                    found
                        .map(|(_, content)| content.as_slice())
                        .ok_or_else(|| format!("{path} was not read"))
                })
                .collect(),
        }
    }
}

impl Requirement {
    /// The files to read for an evaluation.
    pub(crate) fn files(&self) -> Vec<String> {
        let materials: [Option<&Material>; 2] = match &self.signer {
            Signer::Keys { keys, log } => [Some(keys), log.as_ref()],
            Signer::Fulcio { authorities, log, .. } => [Some(authorities), Some(log)],
            Signer::Pki {
                roots, intermediates, ..
            } => [Some(roots), intermediates.as_ref()],
        };
        let files = materials.into_iter().flatten().filter_map(|material| match material {
            Material::Files(paths) => Some(paths.as_slice()),
            Material::Inline(_) => None,
        });
        files.flatten().cloned().collect()
    }
}

/// Reads a requirement.
///
/// # Errors
///
/// Says what is wrong, in the words of other container tools.
pub(crate) fn parse(json: &str) -> Result<Requirement, String> {
    let mut members = Members::parse(json.as_bytes())?;
    let kind: String = members.required("type")?;
    if kind != SIGSTORE_SIGNED {
        return Err(format!("Unknown policy requirement type {kind:?}"));
    }
    let keys = one_or_more(&mut members, ["keyPath", "keyPaths", "keyData", "keyDatas"])?;
    let fulcio = members.optional_object("fulcio")?;
    let pki = members.optional_object("pki")?;
    let mut log = one_or_more(
        &mut members,
        [
            "rekorPublicKeyPath",
            "rekorPublicKeyPaths",
            "rekorPublicKeyData",
            "rekorPublicKeyDatas",
        ],
    )?;
    let identity = match members.optional_object("signedIdentity")? {
        Some(identity) => SignedIdentity::parse(identity)?,
        None => SignedIdentity::MatchRepoDigestOrExact,
    };
    members.finish()?;

    let log_is_once = log.len() <= 1;
    let log = log.pop();
    let signer = match (<[Material; 1]>::try_from(keys), fulcio, pki) {
        (Ok([keys]), None, None) => Signer::Keys { keys, log },
        (Err(none), Some(members), None) if none.is_empty() => fulcio_signer(members, log)?,
        (Err(none), None, Some(members)) if none.is_empty() => pki_signer(members, log.is_some())?,
        _ => {
            return Err(
                "exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio, and pki must be specified".to_owned(),
            );
        }
    };
    if !log_is_once {
        return Err(
            "at most one of rekorPublickeyPath, rekorPublicKeyPaths, rekorPublickeyData and rekorPublicKeyDatas can \
             be used simultaneously"
                .to_owned(),
        );
    }
    let requirement = Requirement { signer, identity };
    if requirement.files().len() > MAX_FILES {
        return Err(format!("it names more than {MAX_FILES} files"));
    }
    Ok(requirement)
}

fn fulcio_signer(mut members: Members, log: Option<Material>) -> Result<Signer, String> {
    let authorities = one(&mut members, "caPath", "caData")?
        .ok_or_else(|| "At least one of caPath and caData must be specified".to_owned())?;
    let mut mandatory = |key: &str| text(&mut members, key)?.ok_or_else(|| format!("{key} not specified"));
    let issuer = mandatory("oidcIssuer")?;
    let email = mandatory("subjectEmail")?;
    members.finish()?;
    let log = log.ok_or_else(|| {
        "At least one of rekorPublickeyPath, rekorPublicKeyPaths, rekorPublickeyData and rekorPublicKeyDatas must be \
         specified if fulcio is used"
            .to_owned()
    })?;
    Ok(Signer::Fulcio {
        authorities,
        issuer,
        email,
        log,
    })
}

fn pki_signer(mut members: Members, has_log: bool) -> Result<Signer, String> {
    let roots = one(&mut members, "caRootsPath", "caRootsData")?
        .ok_or_else(|| "At least one of caRootsPath and caRootsData must be specified".to_owned())?;
    let intermediates = one(&mut members, "caIntermediatesPath", "caIntermediatesData")?;
    let email = text(&mut members, "subjectEmail")?;
    let host_name = text(&mut members, "subjectHostname")?;
    members.finish()?;
    if email.is_none() && host_name.is_none() {
        return Err("At least one of subjectEmail, subjectHostname must be specified".to_owned());
    }
    if has_log {
        return Err("rekorPublicKey* must not be specified if pki is used".to_owned());
    }
    Ok(Signer::Pki {
        roots,
        intermediates,
        email,
        host_name,
    })
}

/// A string that stands for nothing if it is empty, as in Go.
fn text(members: &mut Members, key: &str) -> Result<Option<String>, String> {
    let text: Option<String> = members.optional(key)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// What stands under each of two keys.
fn both(members: &mut Members, path: &str, data: &str) -> Result<Vec<Material>, String> {
    let path = text(members, path)?.map(|path| Material::Files(vec![path]));
    let inline = match members.optional::<String>(data)? {
        Some(encoded) => Some(Material::Inline(vec![decode(data, &encoded)?])),
        None => None,
    };
    Ok(path.into_iter().chain(inline).collect())
}

/// A document that may be there once.
fn one(members: &mut Members, path: &str, data: &str) -> Result<Option<Material>, String> {
    let mut found = both(members, path, data)?;
    if found.len() > 1 {
        return Err(format!("{path} and {data} cannot be used simultaneously"));
    }
    Ok(found.pop())
}

/// Documents under any of four keys: a path, paths, data, several data.
fn one_or_more(members: &mut Members, [path, paths, data, datas]: [&str; 4]) -> Result<Vec<Material>, String> {
    let mut found = both(members, path, data)?;
    if let Some(list) = list(members, paths)? {
        found.push(Material::Files(list));
    }
    if let Some(list) = list(members, datas)? {
        let documents = list.iter().map(|encoded| decode(datas, encoded));
        found.push(Material::Inline(documents.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

/// A list that is not empty (RQ-09).
fn list(members: &mut Members, key: &str) -> Result<Option<Vec<String>>, String> {
    match members.optional::<Vec<String>>(key)? {
        Some(list) if list.is_empty() => Err(format!("{key:?} contains no entries")),
        list => Ok(list),
    }
}

fn decode(key: &str, text: &str) -> Result<Vec<u8>, String> {
    decode_base64(text).map_err(|error| format!("{key} is not valid base64: {error}"))
}

#[cfg(test)]
mod tests;
