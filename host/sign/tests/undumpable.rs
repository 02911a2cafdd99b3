//! A process of its own, since what is tested is a property of the process.
#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

use std::io::Read as _;

use longshore_sign::{Passphrase, SigstoreKey, Undumpable};
use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

fn state() -> (DumpableBehavior, Option<u64>) {
    (dumpable_behavior().unwrap(), getrlimit(Resource::Core).current)
}

#[test]
fn the_process_cannot_be_dumped_while_a_secret_is_held() {
    const PROTECTED: (DumpableBehavior, Option<u64>) = (DumpableBehavior::NotDumpable, Some(0));
    let before = state();
    assert_ne!(before.0, PROTECTED.0);
    let first = Undumpable::hold();
    let second = Undumpable::hold();
    assert_eq!(state(), PROTECTED);
    drop(first);
    assert_eq!(state(), PROTECTED);
    drop(second);
    assert_eq!(state(), before);

    let mut secret = &b"secret"[..];
    let passphrase = Passphrase::of_reader(|buffer| secret.read(buffer)).unwrap();
    assert_eq!(state(), PROTECTED);
    drop(passphrase);
    assert_eq!(state(), before);
    let key = SigstoreKey::generate().unwrap();
    assert_eq!(state(), PROTECTED);
    drop(key);
    assert_eq!(state(), before);
}
