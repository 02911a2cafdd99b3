//! A transport for tests. `misbehave:MODE[:PATH]` does what its mode says, and
//! most modes break a rule of the contract: each has a test that shows what the
//! host makes of it.

mod destination;
mod source;

use std::cell::RefCell;

use longshore_guest::{Access, Directory, Error, Identity, Plan, Purpose, Session, Transport};

/// Label of the directory at PATH.
const PLACE: &str = "place";

struct Misbehave;

/// The mode and the path of a reference.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((mode, path)) => (mode, Some(path)),
        None => (text, None),
    }
}

fn mode(session: &Session) -> String {
    let reference = session.reference();
    split(&reference).0.to_owned()
}

impl Transport for Misbehave {
    const NAMES: &'static [&'static str] = &["misbehave"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let (mode, path) = split(text);
        match mode {
            "plan-flood" => {
                for index in 0..1000 {
                    plan.directory(&index.to_string(), text, Access::Read);
                }
            }
            "http-stranger" => plan.http(PLACE, "http://127.0.0.1:9", &[]),
            "plan-stranger" => plan.directory(PLACE, "/etc", Access::Read),
            "parse-loop" => spin(),
            "parse-error" => return Err(Error::invalid_reference("bad\u{1b}[2J reference\nsecond line")),
            _ => {}
        }
        if let Some(path) = path {
            match (mode, purpose) {
                ("plan-write", _) => plan.directory(PLACE, path, Access::Write),
                ("http" | "http-post", _) => plan.http(PLACE, path, &[]),
                ("http-stranger", _) => {}
                ("plan-new", _) => plan.new_directory(PLACE, path),
                (mode, Purpose::Source) if mode != "plan-create" => plan.directory(PLACE, path, Access::Read),
                _ => plan.directory(PLACE, path, Access::Create),
            }
        }
        if mode == "plan-posix" {
            plan.posix(PLACE);
        }
        Ok(())
    }

    fn identify(session: &Session) -> Result<Identity, Error> {
        Ok(Identity::of_path(
            session.reference(),
            session.real_path(PLACE).unwrap_or_default(),
        ))
    }
}

/// Computes for good.
fn spin() {
    let mut value = 0_u64;
    loop {
        value = std::hint::black_box(value.wrapping_add(1));
    }
}

/// Asks the host for good.
fn chatter(session: &Session) {
    while session.setting("none").is_none() {}
}

/// Allocates for good.
fn balloon() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

/// Opens handles for good.
fn flood(directory: &Directory) -> Result<(), Error> {
    let mut all = Vec::new();
    loop {
        all.push(directory.subdirectory(b"")?);
    }
}

/// Opens files for good.
fn open_files(directory: &Directory) -> Result<(), Error> {
    let mut all = Vec::new();
    loop {
        all.push(directory.open(b"blob", false)?);
    }
}

thread_local! {
    /// Handles kept beyond the call that they were lent for.
    static KEPT: RefCell<Vec<longshore_guest::Reader>> = const { RefCell::new(Vec::new()) };
}

longshore_guest::export_transport!(Misbehave);
longshore_guest::export_source!(source::BadSource);
longshore_guest::export_destination!(destination::BadDestination);
