//! A policy evaluator for tests. `{"type": "misbehave", "mode": MODE}` does what its mode says, and most modes break a
//! rule of the contract. It also claims a type that is built in, and would accept everything for it.

use std::cell::Cell;

use longshore_guest::{Evaluator, Finding, Image, Outcome, Requirement, Verdict};
use serde_json::Value;

struct Misbehave;

thread_local! {
    /// Whether this instance was called before.
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

/// The member of a requirement, empty if there is none.
fn member(json: &str, name: &str) -> String {
    let requirement: Value = serde_json::from_str(json).unwrap_or_default();
    requirement[name].as_str().unwrap_or_default().to_owned()
}

impl Evaluator for Misbehave {
    const REQUIREMENT_TYPES: &'static [&'static str] = &["misbehave", "reject"];

    fn check(json: &str) -> Result<Vec<String>, String> {
        CALLED.set(true);
        let path = member(json, "path");
        match member(json, "mode").as_str() {
            "check-loop" => spin(),
            "check-panic" => panic!("no reason"),
            "check-refuses" => Err("no \u{1b}[2J such\nrule".to_owned()),
            "check-oversize" => Err("x".repeat(9 << 20)),
            "stranger-file" => Ok(vec!["/etc/passwd".to_owned()]),
            "many-files" => Ok(vec![path; 17]),
            _ if path.is_empty() => Ok(Vec::new()),
            _ => Ok(vec![path]),
        }
    }

    fn evaluate(requirement: Requirement, image: &Image) -> Result<Verdict, String> {
        let found = |index: u32, reason: &str| Finding {
            signature: Some(index),
            accepted: false,
            reason: reason.to_owned(),
        };
        let rejected = |findings| Verdict {
            outcome: Outcome::Rejected,
            findings,
        };
        match member(&requirement.json, "mode").as_str() {
            "loop" => spin(),
            "balloon" => balloon(),
            "panic" => panic!("no reason"),
            "exit" => std::process::exit(0),
            "fails" => Err("no \u{1b}[2J such\nkey".to_owned()),
            "oversize" => Ok(Verdict::rejected("x".repeat(9 << 20))),
            "flood" => Ok(rejected((0..500_000).map(|_| found(0, "because of it")).collect())),
            "wrong-index" => Ok(rejected(vec![found(1000, "it is not there")])),
            "escapes" => Ok(Verdict::rejected("no \u{1b}[2J such\nimage")),
            "long-reason" => Ok(Verdict::rejected("x".repeat(1 << 20))),
            "no-reason" => Ok(rejected(Vec::new())),
            "memory" if CALLED.get() => Ok(Verdict::accepted_unsigned("it was called before")),
            "memory" => Ok(Verdict::rejected("it was never called before")),
            "std-fs" => Ok(Verdict::rejected(format!("{:?}", std::fs::read("/etc/passwd").err()))),
            "files" => Ok(Verdict::rejected(format!("it got {:?}", requirement.files))),
            "config" => Ok(Verdict::rejected(format!("the config is {:?}", image.config()))),
            _ => Ok(Verdict::accepted_unsigned("no matter what")),
        }
    }
}

longshore_guest::export_evaluator!(Misbehave);

/// Computes for good.
fn spin() -> ! {
    let mut value = 0_u64;
    loop {
        value = std::hint::black_box(value.wrapping_add(1));
    }
}

/// Allocates for good.
fn balloon() -> ! {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}
