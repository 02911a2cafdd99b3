use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{GuestResult, guest_error};
use crate::limits;

/// Checks a path of the contract (`types.path`). The empty path is an error here:
/// functions that take it ask first.
pub(crate) fn checked(path: &[u8]) -> GuestResult<&Path> {
    let refuse = |what: &str| {
        let shown = crate::error::presentable(&String::from_utf8_lossy(&path[..path.len().min(256)]));
        Err(guest_error("invalid-data", format!("path \"{shown}\" {what}")))
    };
    if path.len() > limits::PATH {
        return refuse("is too long");
    }
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" => return refuse("is empty, absolute, or has an empty name"),
            b"." | b".." => return refuse("has a name that is `.` or `..`"),
            name if name.contains(&0) => return refuse("has a NUL in it"),
            _ => {}
        }
    }
    Ok(Path::new(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn paths() {
        for (path, good) in [
            (&b"a"[..], true),
            (b"a/b/c", true),
            (b"...", true),
            (b"a b\xff", true),
            (b"", false),
            (b"/", false),
            (b"/a", false),
            (b"a/", false),
            (b"a//b", false),
            (b".", false),
            (b"..", false),
            (b"a/../b", false),
            (b"a/..", false),
            (b"./a", false),
            (b"a\0b", false),
            (&[b'a'; 4096], true),
            (&[b'a'; 4097], false),
        ] {
            assert_eq!(checked(path).is_ok(), good, "{:?}", String::from_utf8_lossy(path));
        }
    }
}
