//! Running the program and its peers: a failed expectation shows the whole story.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A command to run. Its environment is bare: PATH and what a test adds.
pub struct Tool {
    command: Command,
    shown: String,
}

/// The program under test, from the release build beside the running test.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn longshore() -> Tool {
    Tool::new(&built("longshore"))
}

/// An example program of the workspace's libraries, from the release build.
///
/// # Panics
/// It was not built.
#[must_use]
pub(crate) fn example(name: &str) -> Tool {
    Tool::new(&built(&format!("examples/{name}")))
}

/// The same program under another name: a link to it at `link`.
///
/// # Panics
/// It was not built, or the link cannot be made.
#[must_use]
pub(crate) fn longshore_as(link: &Path) -> Tool {
    if let Err(error) = std::os::unix::fs::symlink(built("longshore"), link) {
        panic!("{}: {error}", link.display());
    }
    Tool::new(link)
}

/// The copy with plugins as components or linked natively, from the release build beside the running test.
///
/// # Panics
/// It was not built.
#[must_use]
pub(crate) fn copy_in_process() -> Tool {
    Tool::new(&built("copy-in-process"))
}

/// A peer in PATH.
///
/// # Panics
/// It is not installed; the message says what installs it.
#[must_use]
pub fn peer(name: &str) -> Tool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    match found {
        Some(program) => Tool::new(&program),
        None => panic!("the peer `{name}` is not installed; `cargo ci` installs it"),
    }
}

/// A release binary of this workspace: beside the running program, or one folder up if the running
/// program is a test.
fn built(name: &str) -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let found = running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    match found {
        Some(program) => program,
        None => panic!(
            "{name} is not built: run `cargo ci`, or \
             `cargo plugins && cargo build --release --workspace --bins --examples`"
        ),
    }
}

/// The component of a test guest.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn test_guest(name: &str) -> PathBuf {
    let target = built("longshore")
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .unwrap_or_default();
    let file = target.join("test-guests").join(name).with_extension("wasm");
    assert!(file.is_file(), "{} is not built: run `cargo plugins`", file.display());
    file
}

impl Tool {
    fn new(program: &Path) -> Self {
        let mut command = Command::new(program);
        command.env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let name = program.file_name().unwrap_or_default();
        Self {
            command,
            shown: name.to_string_lossy().into_owned(),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let _ = write!(self.shown, " {}", argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the folder it runs in.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Lets the test write what it reads on stdin.
    #[must_use]
    pub fn piped_stdin(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// The same command, started by another one that takes it as its last arguments.
    #[must_use]
    pub fn below(self, other: Self) -> Self {
        let Self { command, .. } = self;
        let tool = other.arg(command.get_program()).args(command.get_args());
        command.get_envs().fold(tool, |tool, (name, value)| match value {
            Some(value) => tool.env(&name.to_string_lossy(), value),
            None => tool,
        })
    }

    /// The command as a person would type it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn run(mut self) -> Finished {
        match self.command.output() {
            Ok(output) => Finished {
                shown: self.shown,
                output,
            },
            Err(error) => panic!("cannot start `{}`: {error}", self.shown),
        }
    }

    /// Starts it and returns at once; stdout and stderr are piped.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start `{}`: {error}", self.shown),
        }
    }
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    shown: String,
    output: std::process::Output,
}

impl Finished {
    /// What it printed on stdout.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it printed on stdout, as bytes.
    #[must_use]
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.output.stdout
    }

    /// What it printed on stderr.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Its exit status; none if a signal ended it.
    #[must_use]
    pub fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Expects exit status 0.
    ///
    /// # Panics
    /// It had another one.
    pub fn success(self) -> Self {
        self.with_status(0)
    }

    /// Expects an exit status.
    ///
    /// # Panics
    /// It had another one.
    pub fn with_status(self, expected: i32) -> Self {
        assert!(
            self.status() == Some(expected),
            "expected status {expected}\n{}",
            self.story()
        );
        self
    }

    /// Expects exit status 1 and one line on stderr that holds every fragment.
    ///
    /// # Panics
    /// It had another status, or no such line.
    pub fn fails_with(self, fragments: &[&str]) -> Self {
        self.with_status(1).says(fragments)
    }

    /// Expects one line on stderr that holds every fragment; quotes in it need not be escaped.
    ///
    /// # Panics
    /// There is no such line.
    pub fn says(self, fragments: &[&str]) -> Self {
        let stderr = self.stderr().replace("\\\"", "\"");
        let found = stderr
            .lines()
            .any(|line| fragments.iter().all(|part| line.contains(part)));
        assert!(found, "expected one line with {fragments:?}\n{}", self.story());
        self
    }

    /// Expects a fragment on stdout.
    ///
    /// # Panics
    /// It is not there.
    pub fn prints(self, fragment: &str) -> Self {
        assert!(
            self.stdout().contains(fragment),
            "expected {fragment:?}\n{}",
            self.story()
        );
        self
    }

    /// The command, its status and what it printed.
    #[must_use]
    pub fn story(&self) -> String {
        format!(
            "$ {}\n{}\n--- stdout\n{}--- stderr\n{}",
            self.shown,
            self.output.status,
            self.stdout(),
            self.stderr()
        )
    }
}
