//! The guide `docs/write-a-transport.md`, followed step by step from an empty folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore_tests::{ImageSpec, Layer, Scratch, check_layout};

/// The checkout that the guide speaks of.
const CHECKOUT: &str = "/src/longshore";

/// The guide's blocks: what files hold, and a session at a terminal.
#[derive(Default)]
struct Guide {
    files: BTreeMap<String, String>,
    /// Commands, each with what it prints.
    commands: Vec<(String, String)>,
}

impl Guide {
    fn read(text: &str) -> Self {
        let mut guide = Self::default();
        let mut block: Option<&str> = None;
        for line in text.lines() {
            match (line.strip_prefix("```"), block) {
                (Some(info), None) => block = Some(info),
                (Some(_), Some(_)) => block = None,
                (None, Some("console")) => match line.strip_prefix("$ ") {
                    Some(command) => guide.commands.push((command.to_owned(), String::new())),
                    None => guide.commands.last_mut().unwrap().1 += &format!("{line}\n"),
                },
                (None, Some(info)) => {
                    let (_, file) = info
                        .split_once(' ')
                        .unwrap_or_else(|| panic!("a block of {info:?} is no file"));
                    *guide.files.entry(file.to_owned()).or_default() += &format!("{line}\n");
                }
                (None, None) => {}
            }
        }
        guide
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

#[test]
fn the_guide_leads_to_a_transport() {
    let guide = Guide::read(&fs::read_to_string(root().join("docs/write-a-transport.md")).unwrap());
    let scratch = Scratch::new().unwrap();
    let folder = scratch.path("shelf");
    for (file, text) in &guide.files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace(CHECKOUT, &root().display().to_string())).unwrap();
    }
    // Without a network: the versions that the built-in plugins are built with, and what is compiled of them already.
    fs::copy(root().join("plugins/Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let running = std::env::current_exe().unwrap();
    let binaries = running.ancestors().nth(2).unwrap();
    std::os::unix::fs::symlink(binaries.parent().unwrap().join("guests"), folder.join("target")).unwrap();
    let made = ImageSpec::new([Layer::new(1, 50_000), Layer::new(2, 10)])
        .make()
        .unwrap();
    made.write_dir(&folder.join("image")).unwrap();
    fs::create_dir_all(scratch.path("home/run")).unwrap();
    scratch
        .write_policy(r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)
        .unwrap();

    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([binaries.to_path_buf()].into_iter().chain(std::env::split_paths(&path)));
    let path = path.unwrap();
    assert!(guide.commands.len() > 5);
    for (command, printed) in &guide.commands {
        let mut run = if command.starts_with("cargo build ") {
            // The same, on machines too where Rust's own tools lack the target.
            let mut build = Command::new(binaries.join("longshore-build"));
            build.arg("build-plugin").arg(&folder).env("CARGO_NET_OFFLINE", "true");
            // The guide has the component in the plugin's own folder.
            build.env_remove("CARGO_TARGET_DIR");
            build
        } else {
            let mut shell = Command::new("sh");
            let home = scratch.path("home");
            shell
                .args(["-c", command])
                .env("HOME", &home)
                .env("XDG_RUNTIME_DIR", home.join("run"));
            shell
        };
        let ended = run.current_dir(&folder).env("PATH", &path).output().unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        assert!(ended.status.success(), "$ {command}\n{stdout}{stderr}");
        if !printed.is_empty() {
            assert_eq!(&stdout, printed, "$ {command}\n{stderr}");
        }
    }
    let arrived = check_layout(&folder.join("layout"), "first").unwrap();
    assert_eq!(arrived.digest, made.top.digest);
    // What it is granted is the folder that the reference names.
    let granted = scratch
        .longshore()
        .args(["--plugin-dir", "shelf/plugins", "plugin", "inspect", "shelf"]);
    granted.arg("/x/images:first").run().success().prints("/x/images");
}
