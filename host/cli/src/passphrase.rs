//! Asking a person for a passphrase.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use longshore_sign::Passphrase;
use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::printer::Printer;

/// The passphrase of a key file: the first line of a file, or else what is typed (CP-16). May be dropped while it waits.
pub(crate) async fn of_key(key: &Path, file: Option<&Path>, printer: &Printer) -> anyhow::Result<Passphrase> {
    if let Some(file) = file {
        // It may be a pipe that nobody writes.
        let file = file.to_owned();
        let read = tokio::task::spawn_blocking(move || Passphrase::of_file(&file));
        return Ok(read.await.context("Error reading password")??);
    }
    if !io::stdin().is_terminal() {
        bail!(
            "Cannot prompt for a passphrase for key {}, standard input is not a TTY",
            key.display()
        );
    }
    let hidden = Hidden::begin().context("Error reading password")?;
    printer.explain(&format!("Passphrase for key {}: ", key.display()));
    let read = tokio::task::spawn_blocking(|| {
        // Not through the buffer of the standard library, which would keep it.
        Passphrase::of_reader(|buffer| rustix::io::read(io::stdin(), buffer).map_err(io::Error::from))
    });
    let read = read.await.context("Error reading password")?;
    drop(hidden);
    printer.explain("\n");
    read.context("Error reading password")?
        .context("Error reading password: it is too long")
}

/// Has the terminal not show what is typed. It shows it again when this is dropped: by a signal, too.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin().as_fd())?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        modes.input_modes.insert(InputModes::ICRNL);
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &modes)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &self.before);
    }
}
