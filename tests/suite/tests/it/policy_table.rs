//! A generated table of policies, images and signatures, each judged by Debian's skopeo and by us.
//!
//! Both run once for every row, with the same command line. Keys and signatures are made once and shared by all rows.

mod corpus;
mod rows;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_tests::{Finished, Scratch, Tool};

use world::World;

/// One row: a policy and an image to copy under it.
struct Row {
    name: String,
    policy: String,
    /// As it stands on the command line.
    image: String,
}

/// What a program made of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Judged {
    Accepted,
    Rejected,
    /// The policy itself is refused.
    NoPolicy,
    /// The image cannot be read.
    Unread,
}

impl Judged {
    fn of(finished: &Finished) -> Self {
        let stderr = finished.stderr();
        match finished.status() {
            Some(0) => Self::Accepted,
            Some(1) if stderr.contains("invalid policy in") => Self::NoPolicy,
            Some(1) if stderr.contains("Source image rejected: ") => Self::Rejected,
            _ => Self::Unread,
        }
    }
}

/// Rows that are judged otherwise on purpose: by skopeo and by us, and why.
const DIFFERENCES: &[(&str, Judged, Judged, &str)] = &[
    ("wrong 23 as default", Judged::Unread, Judged::NoPolicy, NO_KEYS),
    ("wrong 23 in a scope", Judged::Unread, Judged::NoPolicy, NO_KEYS),
    ("framing empty, accept", Judged::Unread, Judged::Accepted, CARRIED),
    ("framing only-zero, accept", Judged::Unread, Judged::Accepted, CARRIED),
    ("framing no-newline, accept", Judged::Unread, Judged::Accepted, CARRIED),
    (
        "framing unknown-format, accept",
        Judged::Unread,
        Judged::Accepted,
        CARRIED,
    ),
    ("framing no-ascii, accept", Judged::Unread, Judged::Accepted, CARRIED),
    ("framing text, accept", Judged::Unread, Judged::Accepted, CARRIED),
];

const NO_KEYS: &str = "an empty list of keys is refused when the policy is loaded, as by later versions (RQ-09)";
const CARRIED: &str = "where no signature is needed, what is stored is copied without being read";

/// Runs every row with both programs, and expects the same verdicts but for the listed differences. Answers with how
/// often each verdict was found.
fn compare(scratch: &Scratch, rows: &[Row]) -> BTreeMap<Judged, usize> {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    let next = AtomicUsize::new(0);
    let found = Mutex::new((String::new(), BTreeMap::new(), BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = rows.get(number) else { break };
                    let (theirs, ours) = (
                        run(scratch, scratch.peer("skopeo"), row, number),
                        run(scratch, scratch.longshore(), row, number),
                    );
                    let both = (Judged::of(&theirs), Judged::of(&ours));
                    // Every mistake has its place in the file.
                    if both.1 == Judged::NoPolicy {
                        let place = ours.stderr().contains(" at line 1 column ");
                        assert!(place, "{}\n{}", row.policy, ours.story());
                    }
                    let listed = DIFFERENCES
                        .iter()
                        .find(|(name, theirs, ours, _)| *name == row.name && (*theirs, *ours) == both);
                    let (report, counts, seen) = &mut *found.lock().unwrap();
                    *counts.entry(both.1).or_default() += 1;
                    seen.extend(listed.map(|(name, ..)| *name));
                    if both.0 != both.1 && listed.is_none() {
                        let stories = format!("{}{}", theirs.story(), ours.story());
                        *report += &format!("=== {} {both:?}\n{}\n{stories}\n", row.name, row.policy);
                    }
                }
            });
        }
    });
    let (mut report, counts, seen) = found.into_inner().unwrap();
    for (name, ..) in DIFFERENCES {
        if names.contains(name) && !seen.contains(name) {
            report += &format!("=== listed, but does not occur: {name}\n");
        }
    }
    assert!(report.is_empty(), "\n{report}");
    counts
}

fn run(scratch: &Scratch, tool: Tool, row: &Row, number: usize) -> Finished {
    let folder = scratch.path(format!("rows/{number}"));
    fs::create_dir_all(&folder).unwrap();
    let policy = folder.join("policy.json");
    fs::write(&policy, &row.policy).unwrap();
    let tool = tool.arg("--policy").arg(&policy);
    let tool = tool.args(["copy", "--quiet", "--src-tls-verify=false", &row.image]);
    let to = folder.join("to");
    let finished = tool.arg(format!("dir:{}", to.display())).run();
    drop(fs::remove_dir_all(to));
    finished
}

#[test]
fn images_are_judged_as_by_skopeo() {
    let scratch = Scratch::new().unwrap();
    let world = World::new(&scratch);
    let rows = rows::all(&world);
    assert!(rows.len() >= 300, "{} rows", rows.len());
    let counts = compare(&scratch, &rows);
    // A table that is all of one colour would prove little.
    assert!(
        counts[&Judged::Accepted] >= 80 && counts[&Judged::Rejected] >= 150,
        "{counts:?}"
    );
    assert!(!counts.contains_key(&Judged::Unread), "{counts:?}");
}

#[test]
fn policies_are_read_as_by_skopeo() {
    let scratch = Scratch::new().unwrap();
    let counts = compare(&scratch, &corpus::rows());
    assert!(
        counts[&Judged::NoPolicy] >= 60 && counts[&Judged::Unread] >= 25,
        "{counts:?}"
    );
}
