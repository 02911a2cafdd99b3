//! GnuPG with a keyring of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{Finished, Scratch, Tool};

/// Keys without passphrases below a scratch folder; the agent that holds them ends with this value.
pub struct Gpg<'a> {
    scratch: &'a Scratch,
}

impl<'a> Gpg<'a> {
    /// Makes an empty keyring.
    ///
    /// # Errors
    /// Any failed write.
    pub fn new(scratch: &'a Scratch) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let gpg = Self { scratch };
        let home = gpg.home();
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&home)
            .with_context(|| format!("cannot make {}", home.display()))?;
        Ok(gpg)
    }

    fn home(&self) -> PathBuf {
        self.scratch.path("gnupg")
    }

    /// A peer that finds the keys.
    #[must_use]
    pub fn peer(&self, name: &str) -> Tool {
        self.scratch.peer(name).env("GNUPGHOME", self.home())
    }

    /// Runs gpg to its end, which must be a success.
    ///
    /// # Panics
    /// It fails.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let quiet = ["--batch", "--quiet", "--no-tty", "--yes"];
        let unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""];
        let tool = self.peer("gpg").args(quiet).args(unprotected);
        tool.args(arguments).run().success()
    }

    /// Makes a key, such as `ed25519` for `cert,sign` until `never`, and answers with its fingerprint.
    /// `options` come first, such as a faked time.
    ///
    /// # Panics
    /// gpg fails.
    #[must_use]
    pub fn make_key(&self, options: &[&str], user: &str, algorithm: &str, usage: &str, expiry: &str) -> String {
        let make = ["--quick-generate-key", user, algorithm, usage, expiry];
        let _ = self.run(&[options, &make].concat());
        let list = self.run(&["--list-keys", "--with-colons", user]).stdout();
        let fingerprint = list.lines().find_map(|line| line.strip_prefix("fpr:::::::::"));
        fingerprint.unwrap_or_default().trim_end_matches(':').to_owned()
    }

    /// Revokes a key by the certificate that gpg made with it.
    ///
    /// # Errors
    /// Any failed read or write.
    pub fn revoke(&self, fingerprint: &str) -> Result<()> {
        let file = self.home().join(format!("openpgp-revocs.d/{fingerprint}.rev"));
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        // A colon keeps it from being used by accident.
        fs::write(&file, text.replace("\n:---", "\n---"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let _ = self.run(&["--import", &file.display().to_string()]);
        Ok(())
    }

    /// The public keys in binary form.
    ///
    /// # Panics
    /// gpg fails.
    #[must_use]
    pub fn export(&self, fingerprints: &[&str]) -> Vec<u8> {
        self.run(&[&["--export"], fingerprints].concat())
            .stdout_bytes()
            .to_vec()
    }

    /// What gpg makes of `data` with some options, such as `--sign`.
    ///
    /// # Errors
    /// Any failed read or write.
    pub fn process(&self, data: &[u8], options: &[&str]) -> Result<Vec<u8>> {
        let input = self.scratch.path("gpg-input");
        let output = self.scratch.path("gpg-output");
        fs::write(&input, data).with_context(|| format!("cannot write {}", input.display()))?;
        let (from, to) = (input.display().to_string(), output.display().to_string());
        let _ = self.run(&[&["--output", &to], options, &[&from]].concat());
        read(&output)
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

impl Drop for Gpg<'_> {
    fn drop(&mut self) {
        let _ = self.peer("gpgconf").args(["--kill", "all"]).run();
    }
}
