//! How many files the process may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one.
///
/// The usual soft limit of 1024 is for programs that use `select`. A copy opens
/// files and connections for many blobs at once, and a plugin may hold 2,000
/// handles. Where the limit cannot be raised it stays, and who hits it is told.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
}
