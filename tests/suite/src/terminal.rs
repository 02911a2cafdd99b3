//! A terminal that a test can look at, type into and resize: a tmux server of its own.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::{Tool, peer};
use crate::scratch::Scratch;

/// How long a test waits for something to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the screen.
const PAUSE: Duration = Duration::from_millis(20);

/// A pane stays when its program has ended, nothing is drawn around it, and the server lives without one.
const CONFIGURATION: &str = "set -g remain-on-exit on\nset -g status off\nset -s exit-empty off\n";
/// How often a server is started that ends at once, which tmux's do now and then on a busy machine.
const STARTS: usize = 5;

/// What a pane runs: a command, then what became of the terminal, then one line that is typed.
const SESSION: &str = r#"trap : INT
"$@"
echo "ended with $?"
echo "modes" $(stty -a | tr -s ' ;' '\n\n' | grep -xE 'opost|isig|icanon|echo')
read -r line
echo "read <$line>"
"#;

/// One command in a terminal; dropping it ends both.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Runs a command in a terminal of this size. When it has ended, the terminal shows `ended with STATUS`, then
    /// `modes opost isig icanon echo` if it still does what a terminal usually does, and waits for a line, which it shows as
    /// `read <LINE>`.
    ///
    /// # Errors
    /// The terminal's configuration cannot be written.
    ///
    /// # Panics
    /// tmux is not installed, or does not start.
    pub fn start(scratch: &Scratch, tool: Tool, columns: u16, rows: u16) -> Result<Self> {
        let configuration = scratch.path("tmux.conf");
        fs::write(&configuration, CONFIGURATION)
            .with_context(|| format!("cannot write {}", configuration.display()))?;
        let terminal = Self {
            socket: scratch.path("tmux"),
        };
        let start = || terminal.tmux(&["-f"]).arg(&configuration).arg("start-server").run();
        if !(1..STARTS).any(|_| start().status() == Some(0)) {
            start().success();
        }
        let server = terminal.tmux(&["new-session", "-d"]);
        let server = server.args(["-x", &columns.to_string(), "-y", &rows.to_string(), "--"]);
        let session = peer("sh").args(["-c", SESSION, "sh"]);
        tool.below(session).below(server).run().success();
        Ok(terminal)
    }

    /// The lines that it shows and those that have left it at the top, without blanks at their ends and without the empty ones
    /// at its end. A line that goes on in the next row is one line.
    #[must_use]
    pub fn screen(&self) -> String {
        let shown = self
            .tmux(&["capture-pane", "-p", "-J", "-S", "-"])
            .run()
            .success()
            .stdout();
        let lines: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Waits until what it shows is as wanted, and returns that.
    ///
    /// # Panics
    /// It was not within a minute.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}; the screen:\n{screen}"
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until it shows a text, and returns all that it shows.
    ///
    /// # Panics
    /// It did not within a minute.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Presses keys by the names that tmux gives them, such as `C-c` or `Enter`.
    ///
    /// # Panics
    /// tmux knows no such key.
    pub fn press(&self, keys: &[&str]) {
        drop(self.tmux(&["send-keys"]).args(keys).run().success());
    }

    /// Gives it another size.
    ///
    /// # Panics
    /// tmux does not do it.
    pub fn resize(&self, columns: u16, rows: u16) {
        let tmux = self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        drop(tmux.run().success());
    }

    /// Whether its cursor can be seen.
    #[must_use]
    pub fn shows_cursor(&self) -> bool {
        let tmux = self.tmux(&["display-message", "-p", "#{cursor_flag}"]);
        tmux.run().success().stdout().trim() == "1"
    }

    fn tmux(&self, arguments: &[&str]) -> Tool {
        let tmux = peer("tmux").env("LC_ALL", "C.UTF-8").arg("-S").arg(&self.socket);
        tmux.args(arguments)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It fails if the server has ended by itself, and then there is nothing to do.
        let _ = self.tmux(&["kill-server"]).run();
    }
}
