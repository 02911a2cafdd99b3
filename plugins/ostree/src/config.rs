//! The `config` of a repository.

use configparser::ini::{Ini, IniDefault};

/// How a repository keeps files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Deflated, with owner, mode and attributes in front.
    Archive,
    /// As they are; for root.
    Bare,
    /// With owner, mode and attributes in an extended attribute.
    BareUser,
}

impl Mode {
    /// Of objects that are files.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Archive => "filez",
            Self::Bare | Self::BareUser => "file",
        }
    }
}

/// Reads the mode.
///
/// # Errors
///
/// Says what is wrong with the file, or not supported.
pub(crate) fn mode(text: &str) -> Result<Mode, String> {
    // A key file as GLib reads it: `#` begins comments, at the beginning of a line only.
    let mut syntax = IniDefault::default();
    syntax.case_sensitive = true;
    syntax.multiline = false;
    syntax.delimiters = vec!['='];
    syntax.comment_symbols = vec!['#'];
    syntax.inline_comment_symbols = Some(Vec::new());
    let mut file = Ini::new_from_defaults(syntax);
    file.read(text.to_owned())?;
    let value = |key: &str| file.get("core", key);
    match value("repo_version").as_deref() {
        Some("1") => {}
        Some(other) => return Err(format!("repo_version is \"{other}\", not 1")),
        None => return Err("it says no repo_version".to_owned()),
    }
    if value("archive").as_deref() == Some("true") {
        return Err("repositories of the first kind of archive are not supported".to_owned());
    }
    match value("mode").as_deref() {
        None | Some("bare") => Ok(Mode::Bare),
        Some("bare-user") => Ok(Mode::BareUser),
        Some("archive" | "archive-z2") => Ok(Mode::Archive),
        Some(other) => Err(format!(
            "mode \"{other}\" is not supported, only archive, bare-user and bare are"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, expected) in [
            ("[core]\nrepo_version=1\nmode=bare\n", Ok(Mode::Bare)),
            ("[core]\nrepo_version=1\n", Ok(Mode::Bare)),
            (
                "# remark\n\n[core]\nrepo_version = 1\nmode = bare-user\n",
                Ok(Mode::BareUser),
            ),
            ("[core]\nrepo_version=1\nmode=archive-z2\n", Ok(Mode::Archive)),
            (
                "[remote \"a\"]\nurl=https://a/?x=1#y;z\n[core]\nrepo_version=1\nmode=archive\n",
                Ok(Mode::Archive),
            ),
            ("[core]\nmode=archive\n", Err("no repo_version")),
            ("[core]\nrepo_version=2\nmode=archive\n", Err("not 1")),
            ("[core]\nrepo_version=1\narchive=true\n", Err("first kind")),
            (
                "[core]\nrepo_version=1\nmode=bare-user-only\n",
                Err("\"bare-user-only\""),
            ),
            ("[core]\nrepo_version=1\nMode=archive\n", Ok(Mode::Bare)),
            ("mode=archive\n", Err("no repo_version")),
            ("", Err("no repo_version")),
            ("[core\nrepo_version=1\n", Err("")),
        ] {
            match (mode(text), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(message), Err(fragment)) => assert!(message.contains(fragment), "{text}: {message}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }
}
