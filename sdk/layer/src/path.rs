/// The path of a member below its layer's folder; none if there is no such thing.
pub fn clean(name: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join(&b'/'))
}

/// Whether a name that [`clean`] makes nothing of leads too far up, and is not the layer's folder itself.
pub fn leads_outside(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'/').any(|part| part == b"..")
}

/// A path's folder, empty for the topmost, and its last part.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn names_stay_below() {
        for (name, path) in [
            ("a", Some("a")),
            ("./a/b", Some("a/b")),
            ("/a//b/", Some("a/b")),
            ("a/../b", Some("b")),
            ("..", None),
            ("a/../../b", None),
            ("", None),
            ("./", None),
        ] {
            assert_eq!(clean(name.as_bytes()).as_deref(), path.map(str::as_bytes), "{name}");
        }
    }
}
