use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use longshore_types::ErrorKind;
use zeroize::Zeroizing;

use crate::undumpable::Undumpable;

/// Most bytes of GnuPG's output that are taken: a signature has a few thousand, a key ring of one person some ten.
const MAX_OUTPUT: u64 = 4 << 20;

/// Most characters of what GnuPG complains about that are shown.
const MAX_QUOTED: usize = 1000;

/// GnuPG, asked to work for us. It finds its keys as for its user (`GNUPGHOME`) and asks for passphrases itself.
#[derive(Clone, Debug)]
pub struct Gpg {
    program: OsString,
    passphrase_file: Option<PathBuf>,
    home: Option<PathBuf>,
}

/// Why GnuPG did not do as it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpgError {
    /// A key's name would be taken for an option, or for nothing.
    #[error("{0:?} is no name of a key")]
    KeyName(String),
    /// A passphrase file that cannot be used (GP-06).
    #[error("passphrase file {}: {reason}", path.display())]
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The program cannot be started or spoken to.
    #[error("running {}: {source}", program.to_string_lossy())]
    Run {
        /// The program.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// The program failed.
    #[error("{} failed: {said}", program.to_string_lossy())]
    Failed {
        /// The program.
        program: OsString,
        /// What it complained about.
        said: String,
    },
}

impl GpgError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::KeyName(_) | Self::PassphraseFile { .. } => ErrorKind::InvalidData,
            Self::Run { .. } | Self::Failed { .. } => ErrorKind::Other,
        }
    }
}

impl Default for Gpg {
    fn default() -> Self {
        Self {
            program: "gpg".into(),
            passphrase_file: None,
            home: None,
        }
    }
}

impl Gpg {
    /// Takes passphrases from the first line of a file instead of asking for them (CP-16). Only its name is given to
    /// the program.
    ///
    /// # Errors
    ///
    /// The file cannot be read or has no line.
    pub fn with_passphrase_file(self, path: impl Into<PathBuf>) -> Result<Self, GpgError> {
        let path = path.into();
        let refused = |reason: String| GpgError::PassphraseFile {
            path: path.clone(),
            reason,
        };
        let _undumpable = Undumpable::hold();
        let mut first = Zeroizing::new([0; 1]);
        let read = std::fs::File::open(&path).and_then(|mut file| file.read(&mut *first));
        match read {
            Err(error) => Err(refused(error.to_string())),
            Ok(0) => Err(refused("it is empty".to_owned())),
            Ok(_) => Ok(Self {
                passphrase_file: Some(path),
                ..self
            }),
        }
    }

    /// Uses the keys of another folder than the user's.
    #[must_use]
    pub fn with_home(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            home: Some(folder.into()),
            ..self
        }
    }

    /// An OpenPGP message, binary and signed by the key of this fingerprint, id or user id, that holds `data`.
    ///
    /// It blocks until a passphrase that may be needed was given.
    ///
    /// # Errors
    ///
    /// GnuPG is not there, has no such key, or was not allowed to use it.
    pub fn sign(&self, key: &str, data: &[u8]) -> Result<Vec<u8>, GpgError> {
        // What GnuPG is asked to do with a passphrase leaves no core file either.
        let _undumpable = self.passphrase_file.as_ref().map(|_| Undumpable::hold());
        let mut command = self.command();
        if let Some(path) = &self.passphrase_file {
            command.args(["--pinentry-mode", "loopback", "--passphrase-file"]);
            command.arg(path);
        }
        command.args(["--no-armor", "--local-user", name(key)?, "--sign", "--output", "-"]);
        self.run(command, data)
    }

    /// The public key of this fingerprint, id or user id, in GnuPG's binary form.
    ///
    /// # Errors
    ///
    /// GnuPG is not there or has no such key.
    pub fn export(&self, key: &str) -> Result<Vec<u8>, GpgError> {
        let mut command = self.command();
        command.args(["--no-armor", "--export", "--", name(key)?]);
        let exported = self.run(command, b"")?;
        if exported.is_empty() {
            return Err(GpgError::Failed {
                program: self.program.clone(),
                said: format!("it has no public key {key:?}"),
            });
        }
        Ok(exported)
    }

    /// Takes public keys into the folder of keys.
    ///
    /// # Errors
    ///
    /// GnuPG is not there or finds no key in the bytes.
    pub fn import(&self, keys: &[u8]) -> Result<(), GpgError> {
        let mut command = self.command();
        command.arg("--import");
        self.run(command, keys).map(drop)
    }

    /// The fingerprints of the primary keys that a name stands for, which may be several; none: of all keys.
    ///
    /// # Errors
    ///
    /// GnuPG is not there or has no such key.
    pub fn fingerprints(&self, key: Option<&str>) -> Result<Vec<String>, GpgError> {
        let mut command = self.command();
        command.args(["--with-colons", "--list-keys", "--"]);
        command.args(key.map(name).transpose()?);
        let listed = self.run(command, b"")?;
        Ok(primary_fingerprints(&String::from_utf8_lossy(&listed)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--batch", "--no-tty", "--quiet"]);
        if let Some(home) = &self.home {
            command.arg("--homedir").arg(home);
        }
        command
    }

    fn run(&self, mut command: Command, input: &[u8]) -> Result<Vec<u8>, GpgError> {
        let run = |source| GpgError::Run {
            program: self.program.clone(),
            source,
        };
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(run)?;
        let mut child = Running(child);
        let stdin = child.0.stdin.take();
        let input = input.to_vec();
        // It reads nothing if it fails at once, and then says why. It may also write before it has read everything.
        let feeding = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let complaint = child.0.stderr.take().map(|stderr| thread::spawn(move || read(stderr)));
        let output = child.0.stdout.take().map_or(Ok(Vec::new()), read).map_err(run)?;
        let complaint = complaint.and_then(|thread| thread.join().ok()).and_then(Result::ok);
        let status = child.0.wait().map_err(run)?;
        // The pipe is closed by now at the latest.
        let _ = feeding.join();
        if status.success() {
            return Ok(output);
        }
        Err(GpgError::Failed {
            program: self.program.clone(),
            said: presentable(&complaint.unwrap_or_default()),
        })
    }
}

/// A key's name as an argument that is no option.
fn name(key: &str) -> Result<&str, GpgError> {
    if key.is_empty() || key.starts_with('-') {
        return Err(GpgError::KeyName(key.to_owned()));
    }
    Ok(key)
}

/// Each fingerprint that follows a primary key, in GnuPG's format for programs.
fn primary_fingerprints(listing: &str) -> Vec<String> {
    let mut is_primary = false;
    let mut fingerprints = Vec::new();
    for line in listing.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            ["pub", ..] => is_primary = true,
            ["sub", ..] => is_primary = false,
            ["fpr", _, _, _, _, _, _, _, _, fingerprint, ..] if is_primary => {
                fingerprints.push((*fingerprint).to_owned())
            }
            _ => {}
        }
    }
    fingerprints
}

fn read(pipe: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(MAX_OUTPUT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One line of what the program said.
fn presentable(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines
        .join("; ")
        .chars()
        .take(MAX_QUOTED)
        .filter(|char| !char.is_control())
        .collect()
}

/// A program that is ended with us, should it still run.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It fails for a program that has ended, and then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    /// A program in GnuPG's place.
    fn gpg(folder: &Path, script: &str) -> Gpg {
        let program = folder.join("gpg");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Gpg {
            program: program.into(),
            ..Gpg::default()
        }
    }

    #[test]
    fn the_program_gets_the_data_and_no_secret() {
        let folder = TempDir::new().unwrap();
        let passphrase = folder.path().join("passphrase");
        fs::write(&passphrase, "secret\n").unwrap();
        let gpg = gpg(folder.path(), "echo \"$*\"; cat")
            .with_passphrase_file(&passphrase)
            .unwrap();
        let output = String::from_utf8(gpg.sign("KEY", b"data").unwrap()).unwrap();
        assert!(output.ends_with("--local-user KEY --sign --output -\ndata"), "{output}");
        assert!(
            output.contains(&format!("--passphrase-file {}", passphrase.display())),
            "{output}"
        );
        assert!(!output.contains("secret"), "{output}");
    }

    #[test]
    fn failures_say_what_the_program_said() {
        let folder = TempDir::new().unwrap();
        let failing = gpg(folder.path(), "echo one >&2; printf '\\033[1mtwo\\n' >&2; exit 2");
        let error = failing.sign("KEY", b"").unwrap_err().to_string();
        assert!(error.ends_with("/gpg failed: one; [1mtwo"), "{error}");
        let silent = gpg(folder.path(), "exit 0");
        let error = silent.export("KEY").unwrap_err().to_string();
        assert!(error.ends_with("it has no public key \"KEY\""), "{error}");
        let missing = Gpg {
            program: folder.path().join("none").into(),
            ..Gpg::default()
        };
        assert!(matches!(missing.sign("KEY", b"").unwrap_err(), GpgError::Run { .. }));
        for key in ["", "-x", "--passphrase-file=x"] {
            assert!(
                matches!(silent.sign(key, b"").unwrap_err(), GpgError::KeyName(_)),
                "{key}"
            );
        }
    }

    #[test]
    fn fingerprints_of_primary_keys() {
        let listing = "tru::1:1:0:3:1:5\npub:u:255:22:A1:1:::u:::scSC::::::23::0:\nfpr:::::::::AAAA:\nuid:u::::1::B::x::::::::::0:\nsub:u:255:18:C:1::::::e::::::23:\nfpr:::::::::CCCC:\npub:e:255:22:D:1:::u:::sc::::::23::0:\nfpr:::::::::DDDD:\nfpr:short\n";
        assert_eq!(primary_fingerprints(listing), ["AAAA", "DDDD"]);
    }

    #[test]
    fn passphrase_files_that_hold_none_are_named() {
        let folder = TempDir::new().unwrap();
        let empty = folder.path().join("empty");
        fs::write(&empty, "").unwrap();
        for path in [empty, folder.path().join("none")] {
            let error = Gpg::default().with_passphrase_file(&path).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
