//! What differs between two outcomes, and the list of what may.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Case;
use super::run::{Outcome, Printed};

/// One difference between the two programs.
pub(super) struct Found {
    /// The case, or a class of differences that a rule finds in any case.
    name: String,
    /// `status`, `stdout`, `stderr` or `landed`.
    aspect: &'static str,
    /// What a person needs to see.
    story: String,
}

/// Compares what came of a case.
pub(super) fn compare(case: &Case, theirs: &Outcome, ours: &Outcome) -> Vec<Found> {
    let mut found = Vec::new();
    let mut differ = |name: &str, aspect, details: String| {
        found.push(Found {
            name: name.to_owned(),
            aspect,
            story: format!("{details}\n{}{}", theirs.story, ours.story),
        });
    };
    if theirs.status != ours.status {
        let class = if (theirs.status, ours.status) == (1, 2) {
            "class: not found"
        } else {
            case.name
        };
        differ(class, "status", format!("{} and {}", theirs.status, ours.status));
    }
    if theirs.stdout != ours.stdout {
        let class = class_of_stdout(theirs, ours).unwrap_or(case.name);
        differ(class, "stdout", String::new());
    }
    if !(theirs.says && ours.says) {
        let details = format!("{:?}: theirs says so: {}, ours: {}", case.says, theirs.says, ours.says);
        differ(case.name, "stderr", details);
    }
    if theirs.landed != ours.landed {
        let class = if theirs.status != 0 && ours.status != 0 && ours.untouched {
            "class: nothing half-written"
        } else if differ_in_index_type_only(theirs, ours) {
            "class: index with a media type"
        } else {
            case.name
        };
        differ(class, "landed", difference_of_files(theirs, ours));
    }
    found
}

/// The class of a difference in what was printed, if a rule knows it.
fn class_of_stdout(theirs: &Outcome, ours: &Outcome) -> Option<&'static str> {
    match (&theirs.stdout, &ours.stdout) {
        (Printed::Json(theirs), Printed::Json(ours)) => {
            let mut without = ours.clone();
            without.as_object_mut()?.remove("LayersData")?;
            (without == *theirs).then_some("class: LayersData")
        }
        (Printed::Text(theirs_text), Printed::Text(ours_text)) => {
            if theirs.status != 0 && ours.status != 0 && ours_text.is_empty() {
                return Some("class: failures print nothing");
            }
            let steps = |text: &str| -> BTreeSet<String> {
                let told = |line: &&str| !["Storing signatures", "Storing list signatures"].contains(line);
                // The words for how many images of a list are copied have changed.
                let lines = text
                    .lines()
                    .filter(told)
                    .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
                        ["Copying", copied, "of", listed, "images", "in", "list"]
                        | [
                            "Copying",
                            copied,
                            "images",
                            "generated",
                            "from",
                            listed,
                            "images",
                            "in",
                            "list",
                        ] => {
                            format!("Copying {copied} of {listed}")
                        }
                        _ => line.to_owned(),
                    });
                lines.collect()
            };
            (steps(theirs_text) == steps(ours_text)).then_some("class: steps of a copy")
        }
        _ => None,
    }
}

/// Whether the same landed, apart from the media type that a layout's index says it has.
fn differ_in_index_type_only(theirs: &Outcome, ours: &Outcome) -> bool {
    let mut without = ours.landed.clone();
    for (path, content) in &mut without {
        if let Printed::Json(Value::Object(index)) = content
            && path.ends_with("index.json")
            && theirs.landed.get(path).is_some_and(has_no_media_type)
        {
            index.remove("mediaType");
        }
    }
    without == theirs.landed
}

fn has_no_media_type(content: &Printed) -> bool {
    matches!(content, Printed::Json(json) if json.get("mediaType").is_none())
}

fn difference_of_files(theirs: &Outcome, ours: &Outcome) -> String {
    let mut lines = String::new();
    for path in theirs.landed.keys().chain(ours.landed.keys()).collect::<BTreeSet<_>>() {
        let (theirs, ours) = (theirs.landed.get(path), ours.landed.get(path));
        if theirs != ours {
            lines += &format!("{path}\n  theirs: {}\n  ours:   {}\n", show(theirs), show(ours));
        }
    }
    lines
}

fn show(content: Option<&Printed>) -> String {
    match content {
        None => "not there".to_owned(),
        Some(Printed::Json(json)) => json.to_string(),
        Some(Printed::Text(text)) => text.clone(),
    }
}

/// The listed differences, as `(case or class, aspect)`.
pub(super) struct Differences(BTreeSet<(String, String)>);

impl Differences {
    /// Reads the list.
    pub(super) fn listed() -> Self {
        let list: Vec<Value> = serde_json::from_str(include_str!("differences.json")).unwrap();
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        for entry in &list {
            assert!(text(entry, "reason").len() > 10, "{entry} has no reason");
        }
        let keys: BTreeSet<_> = list
            .iter()
            .map(|entry| (text(entry, "case"), text(entry, "aspect")))
            .collect();
        assert_eq!(keys.len(), list.len(), "a difference is listed twice");
        Self(keys)
    }

    /// Expects exactly the listed differences.
    pub(super) fn check(mut self, found: Vec<Found>) {
        let listed = self.0.clone();
        let mut report = String::new();
        for one in found {
            let key = (one.name, one.aspect.to_owned());
            if !listed.contains(&key) {
                report += &format!("=== not listed: {} {}\n{}\n", key.0, key.1, one.story);
            }
            self.0.remove(&key);
        }
        for (case, aspect) in self.0 {
            report += &format!("=== listed, but does not occur: {case} {aspect}\n");
        }
        assert!(report.is_empty(), "\n{report}");
    }
}
