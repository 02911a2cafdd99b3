//! `generate-sigstore-key`: a private key that signs images, and its public key.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use longshore_sign::SigstoreKey;

use crate::args::{PluginChoice, UsageError, program};
use crate::passphrase;
use crate::printer::Printer;
use crate::quote::quoted;

/// Generate a sigstore public/private key pair
#[derive(clap::Args)]
#[command(override_usage = "longshore generate-sigstore-key [command options] --output-prefix PREFIX")]
pub(crate) struct GenerateSigstoreKeyArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,

    /// Write the keys to PREFIX.pub and PREFIX.private
    #[arg(long, value_name = "PREFIX")]
    output_prefix: Option<OsString>,

    /// Read a passphrase for the private key from PATH
    #[arg(long, value_name = "PATH")]
    passphrase_file: Option<OsString>,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Writes both files, or none (GK-01).
pub(crate) async fn run(args: GenerateSigstoreKeyArgs, printer: &Printer) -> anyhow::Result<()> {
    let Some(prefix) = args
        .output_prefix
        .filter(|prefix| !prefix.is_empty() && args.words.is_empty())
    else {
        let usage = format!("Usage: {} generate-sigstore-key --output-prefix PREFIX", program());
        return Err(UsageError::new(usage).into());
    };
    let [public_file, private_file] = [".pub", ".private"].map(|suffix| {
        let mut name = prefix.clone();
        name.push(suffix);
        PathBuf::from(name)
    });
    for path in [&public_file, &private_file] {
        refuse_existing(path)?;
    }
    let file = args.passphrase_file.filter(|path| !path.is_empty());
    let passphrase = passphrase::of_key(&private_file, file.as_deref().map(Path::new), printer).await?;
    let key = SigstoreKey::generate().context("Error generating key pair")?;
    let private = key.lock(&passphrase).context("Error generating key pair")?;
    let public = key.public().context("Error generating key pair")?;
    write(&private_file, 0o600, &private).with_context(|| failed("private", &private_file))?;
    if let Err(error) = write(&public_file, 0o644, &public) {
        // A key whose public half nobody has is of no use.
        let _ = fs::remove_file(&private_file);
        return Err(anyhow::Error::new(error).context(failed("public", &public_file)));
    }
    let [private_file, public_file] = [private_file, public_file].map(|path| quoted(&path.to_string_lossy()));
    printer.result(format!("Key written to {private_file} and {public_file}\n"))
}

fn failed(which: &str, path: &Path) -> String {
    format!("Error writing {which} key to {}", quoted(&path.to_string_lossy()))
}

fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    let shown = quoted(&path.to_string_lossy());
    match fs::symlink_metadata(path) {
        Ok(_) => bail!("Refusing to overwrite existing {shown}"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("Error checking existence of {shown}")),
    }
}

/// Writes a file that is not there yet, also not since somebody looked.
fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}
