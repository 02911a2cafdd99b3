use std::sync::Arc;

use crate::bindings::policy::exports::longshore::policy::evaluator::{
    Outcome as GuestOutcome, Requirement as GuestRequirement, Verdict as GuestVerdict,
};
use crate::error::presentable;
use crate::host::image::ImageFacts;
use crate::{Error, Plugin, limits};

/// A plugin that judges policy requirements.
#[derive(Clone)]
pub struct Evaluator {
    plugin: Arc<Plugin>,
}

/// How an image was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It must not be used.
    Rejected,
    /// It may be used, though no signature was verified.
    AcceptedUnsigned,
    /// A signature over the whole image was verified.
    AcceptedSigned,
}

/// What was thought of one signature or of the whole image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Index of the signature; none for the whole image.
    pub signature: Option<usize>,
    /// Whether it speaks for the image.
    pub accepted: bool,
    /// One line for people.
    pub reason: String,
}

/// The answer of an evaluator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How the image was judged.
    pub outcome: Outcome,
    /// Why.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Why not: the reasons of what does not speak for the image.
    pub fn reasons_against(&self) -> impl Iterator<Item = &str> {
        let against = self.findings.iter().filter(|finding| !finding.accepted);
        against.map(|finding| finding.reason.as_str())
    }
}

/// A requirement of policy.json and the files that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The JSON object as it stands there.
    pub json: String,
    /// Path and content of each file, in the order of [`Evaluator::check`].
    pub files: Vec<(String, Vec<u8>)>,
}

impl Evaluator {
    pub(crate) fn new(plugin: Arc<Plugin>) -> Self {
        Self { plugin }
    }

    /// Requirement types that the plugin answers for.
    ///
    /// # Errors
    ///
    /// Fails if the plugin crashes.
    pub async fn requirement_types(&self) -> Result<Vec<String>, Error> {
        const OPERATION: &str = "evaluator.requirement-types";
        let plugin = Arc::clone(&self.plugin);
        self.plugin
            .start()?
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, instance| {
                        load(&plugin, &mut *store, instance)?
                            .call_requirement_types(&mut *store)
                            .await
                    })
                    .await
                })
            })
            .await
    }

    /// Whether a requirement is well-formed; answers with the files to read.
    ///
    /// # Errors
    ///
    /// The inner error says what is wrong with the requirement. A plugin that
    /// asks for files that do not stand in the requirement, or for more than 16,
    /// broke the contract.
    pub async fn check(&self, json: &str) -> Result<Result<Vec<String>, String>, Error> {
        const OPERATION: &str = "evaluator.check";
        let plugin = Arc::clone(&self.plugin);
        let json = json.to_owned();
        self.plugin
            .start()?
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let checked = live
                        .guest(OPERATION, async |store, instance| {
                            load(&plugin, &mut *store, instance)?
                                .call_check(&mut *store, &json)
                                .await
                        })
                        .await?
                        .map_err(|message| presentable(&message));
                    if let Ok(files) = &checked {
                        may_read(files, &json).map_err(|what| live.broke_contract(OPERATION, &what))?;
                    }
                    Ok(checked)
                })
            })
            .await
    }

    /// Judges an image, in an instance that is gone afterwards.
    ///
    /// # Errors
    ///
    /// The inner error says why the requirement itself cannot be applied.
    pub async fn evaluate(
        &self,
        requirement: Requirement,
        image: ImageFacts,
    ) -> Result<Result<Verdict, String>, Error> {
        const OPERATION: &str = "evaluator.evaluate";
        let plugin = Arc::clone(&self.plugin);
        let signatures = image.signatures.len();
        let requirement = GuestRequirement {
            json: requirement.json,
            files: requirement.files,
        };
        let verdict = self
            .plugin
            .start()?
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let verdict = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = load(&plugin, &mut *store, instance)?;
                            let image = store.data_mut().push(image)?;
                            let borrowed = wasmtime::component::Resource::new_borrow(image.rep());
                            let verdict = guest.call_evaluate(&mut *store, &requirement, borrowed).await?;
                            store.data_mut().table.delete(image)?;
                            Ok(verdict)
                        })
                        .await?
                        .map(from_guest);
                    if let Ok(verdict) = &verdict {
                        is_about(verdict, signatures).map_err(|what| live.broke_contract(OPERATION, &what))?;
                    }
                    Ok(verdict)
                })
            })
            .await?;
        Ok(verdict.map_err(|message| presentable(&message)))
    }
}

/// Whether a verdict speaks only of signatures that there are; says why not.
fn is_about(verdict: &Verdict, signatures: usize) -> Result<(), String> {
    let strange = verdict
        .findings
        .iter()
        .find(|finding| finding.signature.is_some_and(|index| index >= signatures));
    match strange {
        Some(_) => Err(format!("it judges a signature beyond the {signatures} that there are")),
        None => Ok(()),
    }
}

type Guest = crate::bindings::policy::exports::longshore::policy::evaluator::Guest;

fn load(
    plugin: &Plugin,
    store: impl wasmtime::AsContextMut,
    instance: &wasmtime::component::Instance,
) -> wasmtime::Result<Guest> {
    match &plugin.exports.evaluator {
        Some(indices) => indices.load(store, instance),
        None => wasmtime::bail!("it is not an evaluator"),
    }
}

fn from_guest(verdict: GuestVerdict) -> Verdict {
    Verdict {
        outcome: match verdict.outcome {
            GuestOutcome::Rejected => Outcome::Rejected,
            GuestOutcome::AcceptedUnsigned => Outcome::AcceptedUnsigned,
            GuestOutcome::AcceptedSigned => Outcome::AcceptedSigned,
        },
        findings: verdict
            .findings
            .into_iter()
            .map(|finding| Finding {
                signature: finding.signature.map(|index| index as usize),
                accepted: finding.accepted,
                reason: presentable(&finding.reason),
            })
            .collect(),
    }
}

/// Whether an evaluator may have these files for a requirement; says why not.
fn may_read(files: &[String], json: &str) -> Result<(), String> {
    if files.len() > limits::NAMED {
        return Err(format!("it asks for more than {} files", limits::NAMED));
    }
    if files.iter().all(|file| stands_in(file, json)) {
        Ok(())
    } else {
        Err("it asks for files that the requirement does not name".to_owned())
    }
}

/// Whether a path stands as a whole string somewhere in a requirement.
fn stands_in(path: &str, json: &str) -> bool {
    fn search(value: &serde_json::Value, path: &str) -> bool {
        use serde_json::Value;
        match value {
            Value::String(text) => text == path,
            Value::Array(values) => values.iter().any(|value| search(value, path)),
            Value::Object(members) => members.values().any(|value| search(value, path)),
            _ => false,
        }
    }
    longshore_types::json::parse(json.as_bytes()).is_ok_and(|value| search(&value, path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{limits, may_read, stands_in};

    #[test]
    fn too_many_files_are_told_from_strange_ones() {
        let many = |count| vec!["/k".to_owned(); count];
        let json = r#"{"keyPath":"/k"}"#;
        assert_eq!(may_read(&many(limits::NAMED), json), Ok(()));
        for (files, json, told) in [
            (many(limits::NAMED + 1), json, "it asks for more than 16 files"),
            (many(1), "{}", "it asks for files that the requirement does not name"),
        ] {
            assert_eq!(may_read(&files, json).unwrap_err(), told);
        }
    }

    #[test]
    fn only_files_that_the_requirement_names_are_read() {
        let json = r#"{"type":"x","keyPath":"/k","keyPaths":["/a","/b"],"n":{"p":"/c"}}"#;
        for (path, named) in [
            ("/k", true),
            ("/a", true),
            ("/b", true),
            ("/c", true),
            ("/", false),
            ("keyPath", false),
            ("/etc/shadow", false),
            ("", false),
        ] {
            assert_eq!(stands_in(path, json), named, "{path}");
        }
    }
}
