//! Debian's skopeo and we do the same, over a table of command lines.
//!
//! Every case runs with both programs, each in a fresh folder with the same files and the same
//! repositories. Compared are the exit status, stdout, the part of the message that scripts match,
//! and every file in the folder and the repositories afterwards. `differences.json` lists what is
//! known to differ, each with its reason; a difference that is not listed fails the test, and so
//! does a listed one that no longer occurs.

mod access;
mod commands;
mod compare;
mod copy;
mod images;
mod policy;
mod registries;
mod run;
mod usage;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use compare::{Differences, Found};
use registries::Registries;

/// One row of a table.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// What the list of differences calls it.
    name: &'static str,
    /// What is there before: words `WHERE:WHAT`, see [`run::prepare`].
    setup: &'static str,
    /// The arguments, separated by blanks; see [`run::expand`] for what is replaced in them.
    arguments: &'static str,
    /// A part of the message that scripts match; empty if none.
    says: &'static str,
}

/// A row whose message does not matter.
const fn case(name: &'static str, setup: &'static str, arguments: &'static str) -> Case {
    fails(name, setup, arguments, "")
}

/// A row with a part of the message that both programs print.
const fn fails(name: &'static str, setup: &'static str, arguments: &'static str, says: &'static str) -> Case {
    Case {
        name,
        setup,
        arguments,
        says,
    }
}

fn table() -> Vec<Case> {
    [copy::CASES, commands::CASES, access::CASES, policy::CASES, usage::CASES].concat()
}

#[test]
fn both_do_the_same() {
    let cases = table();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");

    let registries = Registries::start().unwrap();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::<Found>::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let theirs = run::run(case, &registries, "skopeo");
                    let ours = run::run(case, &registries, "longshore");
                    let differences = compare::compare(case, &theirs, &ours);
                    found.lock().unwrap().extend(differences);
                }
            });
        }
    });
    Differences::listed().check(found.into_inner().unwrap());
}
