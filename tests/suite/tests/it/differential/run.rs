//! One case with one program: what is there before, the command line, and what came of it.

use std::collections::BTreeMap;
use std::fs;

use longshore_tests::{Scratch, files_below, sha256};
use serde_json::Value;

use super::Case;
use super::images::image;
use super::registries::{PASSWORD, Registries, USER, landed, put};

/// What came of a case.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: i32,
    pub(super) stdout: Printed,
    /// Whether the message has the part that scripts match.
    pub(super) says: bool,
    /// Everything below the folder and the repositories.
    pub(super) landed: BTreeMap<String, Printed>,
    /// Whether nothing was added, changed or removed.
    pub(super) untouched: bool,
    pub(super) story: String,
}

/// JSON by its meaning, text as it is, other bytes by their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    Json(Value),
    Text(String),
}

impl Printed {
    fn new(bytes: &[u8], place: &Place) -> Self {
        match std::str::from_utf8(bytes) {
            Err(_) => Self::Text(sha256(bytes)),
            Ok(text) => {
                let text = place.hide(text);
                serde_json::from_str(&text).map_or(Self::Text(text), Self::Json)
            }
        }
    }
}

/// Where a program works.
struct Place<'a> {
    scratch: Scratch,
    registries: &'a Registries,
    prefix: String,
}

impl Place<'_> {
    fn open(&self) -> String {
        format!("{}/{}", self.registries.open.address(), self.prefix)
    }

    fn closed(&self) -> String {
        format!("{}/{}", self.registries.closed.address(), self.prefix)
    }

    fn folder(&self) -> String {
        self.scratch.path("").canonicalize().unwrap().display().to_string()
    }

    /// Text without what differs between two places.
    fn hide(&self, text: &str) -> String {
        text.replace(&self.open(), "{r}")
            .replace(&self.closed(), "{a}")
            .replace(&self.folder(), "{d}")
    }

    fn landed(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for (path, bytes) in files_below(&self.scratch.path("")).unwrap() {
            if !path.starts_with("home") {
                all.insert(path.display().to_string(), bytes);
            }
        }
        for (name, registry) in [("{r}", &self.registries.open), ("{a}", &self.registries.closed)] {
            for (path, bytes) in landed(registry, &self.prefix).unwrap() {
                all.insert(format!("{name}/{path}"), bytes);
            }
        }
        all
    }
}

/// Runs a case with one program.
pub(super) fn run(case: &Case, registries: &Registries, program: &str) -> Outcome {
    let place = Place {
        scratch: Scratch::new().unwrap(),
        registries,
        prefix: format!("{}-{program}", case.name),
    };
    prepare(case, &place);
    let before = place.landed();
    let tool = match program {
        "skopeo" => place.scratch.peer(program),
        _ => place.scratch.longshore(),
    };
    let finished = tool.args(expand(case.arguments, &place)).run();
    let after = place.landed();
    let message = finished.stderr().replace("\\\"", "\"");
    Outcome {
        status: finished.status().unwrap_or(-1),
        stdout: Printed::new(finished.stdout_bytes(), &place),
        says: message.contains(case.says),
        untouched: before == after,
        landed: after
            .into_iter()
            .map(|(path, bytes)| (path, Printed::new(&bytes, &place)))
            .collect(),
        story: finished.story(),
    }
}

/// Makes what is there before: words `dir:IMAGE` and `oci:IMAGE` (in a folder, or a layout of that
/// name, called `x`), `layout:IMAGE` (in the common layout, under the image's own name), `reg:IMAGE`
/// and `auth:IMAGE` (in the open or closed registry, tagged `v1`), `tag:IMAGE:TAG`, `signed:IMAGE`
/// (a folder with a signature), `policy:FILE-NAME`, `login:PASSWORD` (an `auth.json` in the folder),
/// `home-login:PASSWORD` (one at home), `file:NAME`.
fn prepare(case: &Case, place: &Place) {
    let scratch = &place.scratch;
    for word in case.setup.split_whitespace() {
        let (kind, what) = word.split_once(':').unwrap();
        match kind {
            "dir" => image(what).write_dir(&scratch.path(what)).unwrap(),
            "oci" => image(what).write_layout(&scratch.path(what), "x").unwrap(),
            "layout" => image(what).write_layout(&scratch.path("layout"), what).unwrap(),
            "signed" => {
                image(what).write_dir(&scratch.path(what)).unwrap();
                fs::write(scratch.path(what).join("signature-1"), b"\x90not a signature").unwrap();
            }
            "reg" => {
                let repository = format!("{}/{what}", place.prefix);
                put(&place.registries.open, &repository, "v1", &image(what)).unwrap();
            }
            "tag" => {
                let (name, tag) = what.split_once(':').unwrap();
                let repository = format!("{}/{name}", place.prefix);
                put(&place.registries.open, &repository, tag, &image(name)).unwrap();
            }
            "auth" => {
                let repository = format!("{}/{what}", place.prefix);
                put(&place.registries.closed, &repository, "v1", &image(what)).unwrap();
            }
            "policy" => {
                let policy = super::policy::policy(what).replace("{d}", &place.folder());
                let policy = policy.replace("{r}", &place.open()).replace("{a}", &place.closed());
                scratch.write_policy(&policy).unwrap();
            }
            "login" => fs::write(scratch.path("auth.json"), login(place, what)).unwrap(),
            "home-login" => {
                fs::create_dir_all(scratch.path("home/run/containers")).unwrap();
                fs::write(scratch.path("home/run/containers/auth.json"), login(place, what)).unwrap();
            }
            "docker-login" => {
                fs::create_dir_all(scratch.path("home/.docker")).unwrap();
                fs::write(scratch.path("home/.docker/config.json"), login(place, what)).unwrap();
            }
            "file" => fs::write(scratch.path(what), "some text\n").unwrap(),
            other => panic!("{}: no setup {other}", case.name),
        }
    }
}

fn login(place: &Place, password: &str) -> String {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
    serde_json::json!({"auths": {place.registries.closed.address(): {"auth": auth}}}).to_string()
}

/// The arguments: `!`, `!s` and `!d` are the flags that turn TLS off (for the only image, the
/// source, the destination), `{r}` and `{a}` the open and the closed registry with a repository
/// prefix, `{d}` the folder, `{login}` user and password, `{digest:IMAGE}` and `{first:IMAGE}` the
/// digest of an image and of its first instance, and `''` an empty argument.
fn expand(arguments: &str, place: &Place) -> Vec<String> {
    arguments
        .split_whitespace()
        .map(|word| expand_word(word, place))
        .collect()
}

fn expand_word(word: &str, place: &Place) -> String {
    match word {
        "!" => return "--tls-verify=false".to_owned(),
        "!s" => return "--src-tls-verify=false".to_owned(),
        "!d" => return "--dest-tls-verify=false".to_owned(),
        "''" => return String::new(),
        _ => {}
    }
    let mut word = word
        .replace("{r}", &place.open())
        .replace("{a}", &place.closed())
        .replace("{login}", &format!("{USER}:{PASSWORD}"))
        .replace("{d}", &place.folder());
    for (mark, first) in [("{digest:", false), ("{first:", true)] {
        if let Some((before, rest)) = word.clone().split_once(mark) {
            let (name, after) = rest.split_once('}').unwrap();
            let made = image(name);
            let digest = if first {
                &made.instances[0].digest
            } else {
                &made.top.digest
            };
            word = format!("{before}{digest}{after}");
        }
    }
    word
}
