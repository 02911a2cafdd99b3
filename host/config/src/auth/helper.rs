//! Credential helpers: programs that keep credentials (AF-05).
//!
//! `docker-credential-NAME get` reads a registry's name from its standard input and prints a JSON object. Neither side
//! ever puts a secret on a command line.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use thiserror::Error;

use super::Credentials;
use crate::environment::Environment;

/// Time for a helper to answer. It may ask its user to unlock a key ring, which takes some while.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Time between two looks at whether a helper that has answered has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// Largest answer of a helper, in bytes: a token of some kilobytes at most.
const MAX_ANSWER: u64 = 64 << 10;

/// How much of a helper's words goes into an error, in characters.
const MAX_QUOTED: usize = 200;

/// The user's name that stands for an identity token.
const TOKEN_USER: &str = "<token>";

/// Why a helper gave no answer.
#[derive(Debug, Error)]
pub enum HelperError {
    /// Its name could lead elsewhere than to a program of that name.
    #[error("a helper's name has letters, digits, \"-\", \"_\" and \".\" only")]
    Name,
    /// It is not installed.
    #[error("there is no such program in PATH")]
    NotFound,
    /// It cannot be run.
    #[error("running {}: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("{} did not answer within {} s", program.display(), TIMEOUT.as_secs())]
    Timeout {
        /// The program.
        program: PathBuf,
    },
    /// It says that it failed.
    #[error("{} failed: {said}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its own words.
        said: String,
    },
    /// It printed something else than credentials.
    #[error("{} printed {what}", program.display())]
    Answer {
        /// The program.
        program: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// Asks the helper `name` for the credentials of `server`; none if it has none.
pub(super) fn ask(name: &str, server: &str, environment: &Environment) -> Result<Option<Credentials>, HelperError> {
    ask_within(name, server, environment, TIMEOUT)
}

fn ask_within(
    name: &str,
    server: &str,
    environment: &Environment,
    timeout: Duration,
) -> Result<Option<Credentials>, HelperError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(HelperError::Name);
    }
    let program = environment
        .program(&format!("docker-credential-{name}"))
        .ok_or(HelperError::NotFound)?;
    let run = |source| HelperError::Run {
        program: program.clone(),
        source,
    };
    let child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(run)?;
    let mut child = Running(child);
    if let Some(mut input) = child.0.stdin.take() {
        // A helper that fails at once need not read it. A name fits into a pipe, so this does not block.
        let _ = writeln!(input, "{server}");
    }
    let deadline = Instant::now() + timeout;
    let failed = |problem| match problem {
        None => HelperError::Timeout {
            program: program.clone(),
        },
        Some(error) => run(error),
    };
    let output = answer(&mut child.0, timeout).map_err(failed)?;
    if output.len() as u64 > MAX_ANSWER {
        return Err(HelperError::Answer {
            program,
            what: "more than credentials are long",
        });
    }
    let status = end(&mut child.0, deadline).map_err(failed)?;
    if !status.success() {
        let said = String::from_utf8_lossy(&output);
        return if is_not_found(said.trim()) {
            Ok(None)
        } else {
            let said = said
                .trim()
                .chars()
                .take(MAX_QUOTED)
                .flat_map(char::escape_debug)
                .collect();
            Err(HelperError::Failed { program, said })
        };
    }
    // The library's own words could quote the secret.
    let Ok(Answer { username, secret }) = serde_json::from_slice(&output) else {
        let what = "something else than credentials in JSON";
        return Err(HelperError::Answer { program, what });
    };
    Ok(match (username.as_str(), secret) {
        (_, secret) if secret.is_empty() => None,
        (TOKEN_USER, token) => Some(Credentials::IdentityToken {
            username: String::new(),
            token,
        }),
        (_, password) => Some(Credentials::Basic { username, password }),
    })
}

/// A helper that is ended with us, should it still run.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It fails for a program that has ended, and then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a helper prints, up to one byte more than is allowed; the error is none for one that is still silent after the
/// time.
fn answer(child: &mut Child, timeout: Duration) -> Result<Vec<u8>, Option<std::io::Error>> {
    let Some(output) = child.stdout.take() else {
        return Ok(Vec::new());
    };
    let (sender, receiver) = mpsc::channel();
    // Its own thread, since reading a pipe has no time limit. It ends with the pipe.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(MAX_ANSWER + 1).read_to_end(&mut bytes);
        // Nobody waits any more after the time.
        let _ = sender.send(read.map(|_| bytes));
    });
    match receiver.recv_timeout(timeout) {
        Ok(read) => read.map_err(Some),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(None),
    }
}

/// How a helper ended; the error is none for one that has closed its output and still runs at the deadline.
fn end(child: &mut Child, deadline: Instant) -> Result<ExitStatus, Option<std::io::Error>> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() >= deadline => return Err(None),
            Ok(None) => thread::sleep(PAUSE),
            Err(error) => return Err(Some(error)),
        }
    }
}

/// The words by which the helpers of docker say that they hold nothing.
fn is_not_found(said: &str) -> bool {
    said == "credentials not found in native keychain"
}

/// A helper for tests.
#[cfg(all(test, unix))]
pub(super) mod testing {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use tempfile::TempDir;

    use crate::environment::Environment;

    static ALONE: Mutex<()> = Mutex::new(());

    /// An environment whose only helper is `test`.
    pub(in crate::auth) struct Helper {
        pub(in crate::auth) environment: Environment,
        _folder: TempDir,
        /// A program that another thread starts meanwhile would for a moment hold the script open, and an open script cannot
        /// be run.
        _alone: MutexGuard<'static, ()>,
    }

    pub(in crate::auth) fn helper(script: &str) -> Helper {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Helper {
            environment: Environment::empty("/").with("PATH", folder.path()),
            _folder: folder,
            _alone: alone,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::testing::helper;
    use super::*;

    #[test]
    fn answers() {
        let basic = |username: &str, password: &str| {
            Ok(Some(Credentials::Basic {
                username: username.to_owned(),
                password: password.to_owned(),
            }))
        };
        let token = Ok(Some(Credentials::IdentityToken {
            username: String::new(),
            token: "t0".to_owned(),
        }));
        let cases = [
            (
                r#"echo '{"ServerURL":"h","Username":"me","Secret":"pw"}'"#,
                basic("me", "pw"),
            ),
            (
                r#"read -r host; printf '{"Username":"%s","Secret":"%s"}' "$host" "$*""#,
                basic("h:5", "get"),
            ),
            (r#"echo '{"Username":"<token>","Secret":"t0"}'"#, token),
            (r#"echo '{"Username":"","Secret":""}'"#, Ok(None)),
            ("echo credentials not found in native keychain; exit 1", Ok(None)),
            ("printf 'locked\\033[1m'; exit 1", Err("failed: locked\\u{1b}[1m")),
            ("echo s3cret", Err("something else than credentials in JSON")),
            (
                r#"echo '{"Username":7,"Secret":"s3cret"}'"#,
                Err("something else than credentials in JSON"),
            ),
            ("exec /bin/cat /dev/zero", Err("more than credentials are long")),
        ];
        for (script, expected) in cases {
            let test = helper(script);
            let found = ask("test", "h:5", &test.environment);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert!(found == expected, "{script}: {found:?}"),
                (Err(error), Err(expected)) => {
                    let text = error.to_string();
                    assert!(
                        text.contains(expected) && text.contains("docker-credential-test"),
                        "{script}: {text}"
                    );
                    assert!(!format!("{error} {error:?}").contains("s3cret"), "{script}");
                }
                (found, _) => panic!("{script}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_silent_helper_is_given_up() {
        for script in ["exec /bin/sleep 1000", "exec /bin/sleep 1000 >&-"] {
            let test = helper(script);
            let error = ask_within("test", "h", &test.environment, Duration::from_millis(50)).unwrap_err();
            assert!(matches!(error, HelperError::Timeout { .. }), "{script}: {error}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere() {
        let test = helper("echo '{}'");
        for name in ["", "../test", "a/b", "te st", "te\0st", "t\u{e9}st"] {
            let error = ask(name, "h", &test.environment).unwrap_err();
            assert!(matches!(error, HelperError::Name), "{name}: {error}");
        }
        let missing = ask("missing", "h", &test.environment).unwrap_err();
        assert!(matches!(missing, HelperError::NotFound), "{missing}");
    }
}
