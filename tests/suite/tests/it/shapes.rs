//! What programs read of ours: templates, progress, scripts, manual pages, and the name `skopeo`.

use std::fs;

use longshore_tests::{ImageSpec, Kind, Layer, Scratch};
use serde_json::Value;

fn scratch_with_image(kind: Kind) -> Scratch {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 30_000), Layer::new(2, 10)])
        .kind(kind)
        .make()
        .unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    scratch
}

#[test]
fn templates_print_what_skopeo_prints() {
    let templates = [
        "{{.Digest}}",
        "{{.Architecture}}/{{.Os}}",
        "{{range .Layers}}{{.}} {{end}}",
        "{{.Layers}}",
        "{{.Env}}",
        "{{.Created}}",
        "{{len .Layers}}\\n",
    ];
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = scratch_with_image(kind);
        for template in templates {
            let run = |tool: longshore_tests::Tool| {
                let tool = tool.args(["inspect", "--format", template]);
                tool.arg(scratch.name("dir", "made")).run().success().stdout()
            };
            assert_eq!(run(scratch.longshore()), run(scratch.peer("skopeo")), "{template}");
        }
    }
}

#[test]
fn a_template_and_raw_output_exclude_each_other_and_mistakes_are_told() {
    let scratch = scratch_with_image(Kind::Oci);
    let inspect = |options: &[&str]| {
        let tool = scratch.longshore().arg("inspect").args(options);
        tool.arg(scratch.name("dir", "made")).run()
    };
    inspect(&["--raw", "--format", "{{.Name}}"]).fails_with(&["raw output does not support format option"]);
    inspect(&["--format", "{{.Nme}}"]).fails_with(&["Error executing the format", "Nme"]);
    inspect(&["--format", "{{.Name"]).fails_with(&["Error parsing the format"]);
    let json = inspect(&["--format", "json"]).success().stdout();
    assert_eq!(json, inspect(&[]).success().stdout());
    let config = inspect(&["--config", "--format", "{{.Architecture}} {{.RootFS.Type}}"]);
    assert!(config.success().stdout().ends_with(" layers\n"));
}

#[test]
fn progress_is_one_json_object_on_each_line() {
    let scratch = scratch_with_image(Kind::Oci);
    let tool = scratch.longshore().args(["copy", "--quiet", "--progress=json"]);
    let done = tool
        .args([scratch.name("dir", "made"), scratch.name("oci", "layout:x")])
        .run()
        .success();
    let events: Vec<Value> = done
        .stderr()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("blob-started"), count("blob-done"), count("done")), (3, 3, 1));
    let last = events.last().unwrap();
    assert_eq!(last["blobs_copied"], 3);
    assert_eq!(last["images"], 1);
    assert_eq!(done.stdout(), "");
}

#[test]
fn completion_scripts_know_the_commands_and_flags() {
    let scratch = Scratch::new().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = scratch.longshore().args(["completion", shell]).run().success().stdout();
        for word in ["list-tags", "multi-arch"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = scratch
        .longshore()
        .args(["completion", "bash"])
        .run()
        .success()
        .stdout();
    fs::write(scratch.path("script"), script).unwrap();
    scratch.peer("bash").args(["-n", "script"]).run().success();
    let unknown = scratch.longshore().args(["completion", "csh"]).run();
    unknown.fails_with(&["unknown shell \"csh\""]);
}

#[test]
fn manual_pages_are_those_of_the_commands() {
    let scratch = Scratch::new().unwrap();
    scratch.longshore().args(["man", "pages"]).run().success();
    for (page, word) in [("longshore.1", "inspect"), ("longshore-copy.1", "multi\\-arch")] {
        let text = fs::read_to_string(scratch.path("pages").join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains(word), "{page}");
    }
}

#[test]
fn under_the_name_skopeo_it_is_skopeo_to_scripts() {
    let scratch = scratch_with_image(Kind::Oci);
    fs::create_dir(scratch.path("bin")).unwrap();
    let mut links = (0..).map(|number| format!("bin/{number}"));
    let mut skopeo = || {
        let folder = links.next().unwrap();
        fs::create_dir(scratch.path(&folder)).unwrap();
        scratch.longshore_as(&format!("{folder}/skopeo"))
    };
    let version = skopeo().arg("--version").run().success().stdout();
    let number = version
        .strip_prefix("skopeo version ")
        .unwrap_or_else(|| panic!("{version}"));
    assert!(number.starts_with("1."), "{version}");
    skopeo().run().fails_with(&["Missing command 'skopeo COMMAND'"]);
    skopeo()
        .arg("cpoy")
        .run()
        .fails_with(&["Unrecognized command `skopeo cpoy`", "copy"]);
    let help = skopeo().args(["copy", "--help"]).run().success().stdout();
    assert!(help.contains("skopeo copy") && !help.contains("longshore"), "{help}");
    let missing = skopeo().args(["inspect", &scratch.name("oci", "missing:x")]).run();
    missing.fails_with(&["level=fatal msg="]);
    let copy = skopeo().args(["copy", &scratch.name("dir", "made"), &scratch.name("oci", "there:x")]);
    assert!(
        copy.run()
            .success()
            .stdout()
            .starts_with("Getting image source signatures\n")
    );
}

#[test]
fn one_option_chooses_the_platform() {
    let scratch = Scratch::new().unwrap();
    let spec = ImageSpec::new([Layer::new(1, 10)]).and_platform("linux", "s390x");
    let made = spec.make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    let inspect = |options: &[&str]| {
        let tool = scratch.longshore().args(options).arg(scratch.name("dir", "made"));
        tool.run()
    };
    let shown = inspect(&["inspect", "--platform=linux/s390x", "--format={{.Architecture}}"]);
    assert_eq!(shown.success().stdout(), "s390x\n");
    inspect(&["--override-arch=arm", "inspect", "--platform=linux/s390x"])
        .fails_with(&["--platform cannot be used together with --override-os"]);
    inspect(&["inspect", "--platform=s390x"]).fails_with(&["invalid platform"]);
}
