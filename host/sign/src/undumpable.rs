//! Keeps secrets out of core files and away from debuggers.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// What the process was like before the first of the values that hold now, and how many hold.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

#[derive(Debug)]
struct Held {
    values: usize,
    dumpable: Option<DumpableBehavior>,
    core: Rlimit,
}

/// As long as a value of this type exists, the process leaves no core file, and nobody but root can trace it or read
/// its memory. Programs that it starts meanwhile leave no core files either.
pub struct Undumpable(());

impl Undumpable {
    /// Until it is dropped.
    #[must_use]
    pub fn hold() -> Self {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(held) => held.values += 1,
            None => *held = Some(Held::begin()),
        }
        Self(())
    }
}

impl Held {
    fn begin() -> Self {
        let dumpable = rustix::process::dumpable_behavior().ok();
        let core = rustix::process::getrlimit(Resource::Core);
        // Neither is refused to a process about itself; where both would be, there is nothing better to do.
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let none = Rlimit {
            current: Some(0),
            ..core
        };
        let _ = rustix::process::setrlimit(Resource::Core, none);
        Self {
            values: 1,
            dumpable,
            core,
        }
    }

    fn end(&self) {
        let _ = rustix::process::setrlimit(Resource::Core, self.core);
        if let Some(dumpable) = self.dumpable {
            let _ = rustix::process::set_dumpable_behavior(dumpable);
        }
    }
}

impl Drop for Undumpable {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(several) if several.values > 1 => several.values -= 1,
            _ => {
                if let Some(last) = held.take() {
                    last.end();
                }
            }
        }
    }
}

impl fmt::Debug for Undumpable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Undumpable")
    }
}
