use longshore_guest::Error;

/// Stands for standard input, which can be read once.
const STDIN: &str = "-";

/// Most files of an image: as many as Docker takes layers.
pub(crate) const MAX_FILES: usize = 127;

/// The files that a reference names, base layer first (TB-01).
pub(crate) fn files(text: &str) -> Result<Vec<&str>, Error> {
    let files: Vec<&str> = text.split(':').collect();
    if files.contains(&"") {
        return Err(Error::invalid_reference(format_args!(
            "{text:?} is not of the form FILE[:FILE...]"
        )));
    }
    if files.len() > MAX_FILES {
        return Err(Error::invalid_reference(format_args!(
            "{} files are more than the {MAX_FILES} layers that an image can have",
            files.len()
        )));
    }
    if files.iter().filter(|file| **file == STDIN).count() > 1 {
        return Err(Error::invalid_reference(
            "standard input (-) can be one of the files only",
        ));
    }
    Ok(files)
}

/// What the file at a position is called in the plan.
pub(crate) fn label(index: usize) -> String {
    index.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let long = ["a"; MAX_FILES + 1].join(":");
        for (text, expected) in [
            ("a.tar", Some(&["a.tar"][..])),
            ("/a/b:c d:-", Some(&["/a/b", "c d", "-"])),
            ("a:a", Some(&["a", "a"])),
            ("@0", Some(&["@0"])),
            ("", None),
            ("a:", None),
            (":a", None),
            ("a::b", None),
            ("-:a:-", None),
            (&long, None),
        ] {
            assert_eq!(files(text).ok().as_deref(), expected, "{text}");
        }
        assert!(files(&long[2..]).is_ok());
    }
}
