#![expect(clippy::panic, reason = "a test may panic")]

use super::{Command, Request, UsageError, help, parse};

fn request(line: &str) -> Result<Request, UsageError> {
    parse(
        std::iter::once("longshore")
            .chain(line.split_whitespace())
            .map(Into::into),
    )
}

fn error(line: &str) -> String {
    match request(line) {
        Ok(_) => panic!("{line:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

/// The texts are those of skopeo 1.9.3, apart from the program's name.
#[test]
fn errors_have_the_words_of_skopeo() {
    let try_help = "Try 'longshore --help' for more information";
    let missing = format!("Missing command 'longshore COMMAND'\n{try_help}");
    let unknown = format!("Unrecognized command `longshore nosuch`\n{try_help}");
    let similar = format!("Unrecognized command `longshore copyx`\n\nDid you mean this?\n\tcopy\n\n{try_help}");
    for (line, expected) in [
        ("", missing.as_str()),
        ("--debug", &missing),
        ("nosuch", &unknown),
        ("--debug nosuch a b", &unknown),
        ("copyx a", &similar),
        ("--nosuch", "unknown flag: --nosuch"),
        ("copy --nosuch a b", "unknown flag: --nosuch"),
        ("copy --dest-pasword=secret a b", "unknown flag: --dest-pasword"),
        ("copy -z a b", "unknown shorthand flag: 'z' in -z"),
        ("copy -f", "flag needs an argument: --format"),
        ("--policy", "flag needs an argument: --policy"),
        ("copy --src-creds", "flag needs an argument: --src-creds"),
        (
            "copy --src-tls-verify=maybe a b",
            "invalid argument \"maybe\" for \"--src-tls-verify\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
        (
            "--debug=2 copy a b",
            "invalid argument \"2\" for \"--debug\" flag: strconv.ParseBool: parsing \"2\": invalid syntax",
        ),
        (
            "copy --image-parallel-copies=-1 a b",
            "invalid argument \"-1\" for \"--image-parallel-copies\" flag: strconv.ParseUint: parsing \"-1\": invalid syntax",
        ),
        ("list-tags --shared-blob-dir=x y", "unknown flag: --shared-blob-dir"),
        ("inspect --formats={{.Name}} x", "unknown flag: --formats"),
    ] {
        assert_eq!(error(line), expected, "{line}");
    }
}

#[test]
fn global_options_stand_before_or_after_the_command() {
    for line in [
        "--debug --policy=p --override-arch arm --plugin-dir=a --plugin x=1 --plugin-dir=b inspect i",
        "inspect --debug --policy=p --override-arch arm i --plugin-dir=a --plugin x=1 --plugin-dir b",
        "--override-arch=m --policy=p --plugin-dir=a inspect --override-arch=arm --debug=1 --plugin x=1 i --plugin-dir b",
    ] {
        let Ok(Request::Run(Command::Inspect(_), global)) = request(line) else {
            panic!("{line:?} is not read as inspect");
        };
        assert!(global.debug && !global.insecure_policy, "{line}");
        assert_eq!(global.policy.as_deref(), Some("p".as_ref()), "{line}");
        assert_eq!(global.override_arch.as_deref(), Some("arm"), "{line}");
        assert_eq!(global.plugins.plugin_dir, ["a", "b"], "{line}");
        assert_eq!(global.plugins.plugin, ["x=1"], "{line}");
    }
}

#[test]
fn plugins_may_be_named_at_every_level() {
    let line = "--plugin-dir=a plugin --plugin-dir=b inspect --plugin-dir=c oci";
    let Ok(Request::Run(Command::Plugin(_), global)) = request(line) else {
        panic!("not read as plugin");
    };
    assert_eq!(global.plugins.plugin_dir, ["a", "b", "c"]);
}

#[test]
fn the_old_tls_verify_is_two_flags() {
    let Ok(Request::Run(Command::Copy(copy), global)) =
        request("--tls-verify=F copy --tls-verify --screds u --dcreds=w a b")
    else {
        panic!("not read as copy");
    };
    assert_eq!((global.tls_verify, copy.tls_verify), (Some(false), Some(true)));
    assert_eq!(copy.source.creds.as_deref(), Some("u"));
    assert_eq!(copy.destination.creds.as_deref(), Some("w"));
}

#[test]
fn help_and_version() {
    for line in ["--version", "-v", "--debug --version"] {
        assert!(matches!(request(line), Ok(Request::Version)), "{line}");
    }
    for (line, first) in [
        ("--help", "Various operations"),
        ("-h", "Various operations"),
        ("help", "Various operations"),
        ("help copy", "Copy an IMAGE-NAME"),
        ("copy -h", "Copy an IMAGE-NAME"),
        ("--help copy", "Copy an IMAGE-NAME"),
        ("plugin list --help", "List"),
    ] {
        match request(line) {
            Ok(Request::Help(text)) => assert!(text.starts_with(first), "{line}: {text}"),
            _ => panic!("{line:?} does not show help"),
        }
    }
}

#[test]
fn help_shows_what_can_be_used() {
    let copy = help(&["copy"]);
    for flag in ["--src-tls-verify", "--dest-creds", "--authfile", "--format", "--help"] {
        assert!(copy.contains(flag), "{flag} is missing in {copy}");
    }
    for flag in [
        "--screds",
        "--dcreds",
        " --tls-verify",
        "--policy",
        "--plugin-dir",
        "--debug",
    ] {
        assert!(!copy.contains(flag), "{flag} is shown in {copy}");
    }
    let all = help(&[]);
    for word in ["--policy", "--plugin-dir", "--no-sync", "list-tags", "manifest-digest"] {
        assert!(all.contains(word), "{word} is missing in {all}");
    }
}
