//! `--format`: Go templates over what `inspect` prints (IN-04, IB-01).
//!
//! The only place that knows the template engine.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use gotmpl::{MissingKey, Template, TemplateError, Value};
use serde_json::{Map, Value as Json};
use tabwriter::TabWriter;

/// Narrowest column without its blanks, and the blanks after one: twelve together, as the reference formatter has them.
const COLUMN: (usize, usize) = (10, 2);

/// What a config's members are called in templates, which see the fields of a Go structure. Members of `config` have these
/// names in JSON too.
const CONFIG_FIELDS: [(&str, &str); 14] = [
    ("created", "Created"),
    ("author", "Author"),
    ("architecture", "Architecture"),
    ("variant", "Variant"),
    ("os", "OS"),
    ("os.version", "OSVersion"),
    ("os.features", "OSFeatures"),
    ("config", "Config"),
    ("rootfs", "RootFS"),
    ("history", "History"),
    ("type", "Type"),
    ("diff_ids", "DiffIDs"),
    ("created_by", "CreatedBy"),
    ("empty_layer", "EmptyLayer"),
];

/// Members whose own members are names that an image chose, not fields.
const FREE_MAPS: [&str; 4] = ["Labels", "Annotations", "ExposedPorts", "Volumes"];

/// The object that a template is evaluated over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The default view.
    Image,
    /// The config in OCI's form.
    Config,
}

/// Whether a format asks for the same JSON as no format.
pub(super) fn is_json(format: &str) -> bool {
    matches!(format.trim(), "" | "json" | "{{json .}}" | "{{ json . }}")
}

/// Evaluates the template `format` over `data`, which is what would be printed as JSON.
pub(super) fn render(format: &str, data: &Json, subject: Subject) -> anyhow::Result<String> {
    let (is_table, text) = match format.strip_prefix("table") {
        Some(rest) if rest.starts_with([' ', '\\']) => (true, rest.trim_start_matches(' ')),
        _ => (false, format),
    };
    let mut text = text.replace("\\t", "\t").replace("\\n", "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let named = match subject {
        Subject::Image => data.clone(),
        Subject::Config => renamed(data, &|key| field(key, |(json, go)| (json, go))),
    };
    let template = Template::new("inspect")
        .missing_key(MissingKey::Error)
        .func("json", move |arguments| json_function(arguments, subject))
        .func("join", |arguments| match arguments {
            [list, separator] => Ok(string(texts(list).join(&separator.to_string()))),
            _ => Err(TemplateError::Exec("join takes a list and a separator".into())),
        })
        .func("split", |arguments| match arguments {
            [text, separator] => Ok(Value::List(
                text.to_string()
                    .split(&separator.to_string())
                    .map(string)
                    .collect::<Vec<_>>()
                    .into(),
            )),
            _ => Err(TemplateError::Exec("split takes a text and a separator".into())),
        })
        .func("lower", |arguments| on_text("lower", arguments, str::to_lowercase))
        .func("upper", |arguments| on_text("upper", arguments, str::to_uppercase))
        .func("title", |arguments| on_text("title", arguments, title))
        .func("pad", pad)
        .func("truncate", truncate)
        .parse(&text)
        .context("Error parsing the format")?;
    let mut shown = String::new();
    if is_table {
        shown.push_str(&run(&template, &headers(&named))?);
    }
    shown.push_str(&run(&template, &value(&named, ""))?);
    if !shown.contains('\t') {
        return Ok(shown);
    }
    let (minimum, padding) = COLUMN;
    let mut columns = TabWriter::new(Vec::new()).minwidth(minimum).padding(padding);
    columns.write_all(shown.as_bytes()).context("aligning columns")?;
    let Ok(aligned) = columns.into_inner() else {
        bail!("the columns of the format cannot be aligned");
    };
    Ok(String::from_utf8(aligned)?)
}

fn run(template: &Template, data: &Value) -> anyhow::Result<String> {
    template.execute_to_string(data).context("Error executing the format")
}

fn string(text: impl AsRef<str>) -> Value {
    Value::String(text.as_ref().into())
}

/// JSON as a template's value. `key` is the member that it belongs to: a list or map that is absent is an empty one in Go,
/// and a time prints as Go's times do.
fn value(json: &Json, key: &str) -> Value {
    match json {
        Json::Null if key == "Env" => Value::List(Vec::new().into()),
        Json::Null if FREE_MAPS.contains(&key) => Value::Map(Arc::default()),
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(signed), _) => Value::Int(signed),
            (None, Some(unsigned)) => Value::Uint(unsigned),
            (None, None) => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) if key == "Created" => string(go_time(text).as_deref().unwrap_or(text)),
        Json::String(text) => string(text),
        Json::Array(items) => Value::List(items.iter().map(|item| value(item, "")).collect::<Vec<_>>().into()),
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(key, member)| (Arc::from(key.as_str()), value(member, key)));
            Value::Map(Arc::new(members.collect()))
        }
    }
}

/// The first row of a table: every field's own name, in capitals.
fn headers(json: &Json) -> Value {
    let Json::Object(members) = json else { return Value::Nil };
    let each = members.keys().map(|key| {
        let mut name = String::new();
        let mut last_is_small = false;
        for letter in key.chars() {
            if letter.is_uppercase() && last_is_small {
                name.push(' ');
            }
            last_is_small = letter.is_lowercase();
            name.extend(letter.to_uppercase());
        }
        (Arc::from(key.as_str()), string(name))
    });
    Value::Map(Arc::new(each.collect()))
}

/// `2026-01-02T03:04:05Z` as `2026-01-02 03:04:05 +0000 UTC`.
fn go_time(text: &str) -> Option<String> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let fraction = match time.subsec_nanosecond() {
        0 => String::new(),
        nanoseconds => format!(".{nanoseconds:09}").trim_end_matches('0').to_owned(),
    };
    let seconds = time.strftime("%Y-%m-%d %H:%M:%S");
    Some(format!("{seconds}{fraction} +0000 UTC"))
}

/// The reverse of [`go_time`].
fn rfc_time(text: &str) -> Option<String> {
    let time = text.strip_suffix(" +0000 UTC")?.replacen(' ', "T", 1) + "Z";
    time.parse::<jiff::Timestamp>().ok().map(|_| time)
}

/// The other name of a config's member.
fn field(key: &str, sides: fn((&'static str, &'static str)) -> (&'static str, &'static str)) -> Option<&'static str> {
    let mut pairs = CONFIG_FIELDS.iter().copied().map(sides);
    pairs.find(|(from, _)| *from == key).map(|(_, to)| to)
}

/// The same document with its members renamed, but for those whose names an image chose.
fn renamed(json: &Json, name: &dyn Fn(&str) -> Option<&'static str>) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.iter().map(|item| renamed(item, name)).collect()),
        Json::Object(members) => {
            let mut output = Map::new();
            for (key, member) in members {
                let inner = if FREE_MAPS.contains(&key.as_str()) {
                    member.clone()
                } else {
                    renamed(member, name)
                };
                output.insert(name(key).unwrap_or(key).to_owned(), inner);
            }
            Json::Object(output)
        }
        other => other.clone(),
    }
}

fn json_function(arguments: &[Value], subject: Subject) -> Result<Value, TemplateError> {
    let [argument] = arguments else {
        return Err(TemplateError::Exec("json takes one value".into()));
    };
    let mut json = to_json(argument);
    if subject == Subject::Config {
        json = renamed(&json, &|key| field(key, |(json, go)| (go, json)));
    }
    let written = longshore_types::json::to_vec(&json).map_err(|error| TemplateError::Exec(error.to_string()))?;
    Ok(string(String::from_utf8_lossy(&written)))
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => Json::from(*number),
        Value::Uint(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::String(text) => Json::String(rfc_time(text).unwrap_or_else(|| text.to_string())),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(members) => Json::Object(
            members
                .iter()
                .map(|(key, member)| (key.to_string(), to_json(member)))
                .collect(),
        ),
        _ => Json::Null,
    }
}

fn texts(list: &Value) -> Vec<String> {
    match list {
        Value::List(items) => items.iter().map(ToString::to_string).collect(),
        Value::Nil => Vec::new(),
        other => vec![other.to_string()],
    }
}

fn on_text(name: &str, arguments: &[Value], change: fn(&str) -> String) -> Result<Value, TemplateError> {
    match arguments {
        [text] => Ok(string(change(&text.to_string()))),
        _ => Err(TemplateError::Exec(format!("{name} takes one text"))),
    }
}

fn title(text: &str) -> String {
    let mut starts = true;
    let each = text.chars().flat_map(|letter| {
        let capital = starts && letter.is_alphabetic();
        starts = !letter.is_alphanumeric() && letter != '_' && letter != '\'';
        if capital {
            letter.to_uppercase().collect::<Vec<_>>()
        } else {
            vec![letter]
        }
    });
    each.collect()
}

/// Most blanks that `pad` adds: a template has no business filling the memory.
const MAX_PAD: i64 = 1024;

/// `pad TEXT BEFORE AFTER`: blanks around a text that is not empty.
fn pad(arguments: &[Value]) -> Result<Value, TemplateError> {
    let counts = match arguments {
        [_, before, after] => before.as_int().zip(after.as_int()),
        _ => None,
    };
    let Some((before, after)) =
        counts.filter(|(before, after)| (0..=MAX_PAD).contains(before) && (0..=MAX_PAD).contains(after))
    else {
        return Err(TemplateError::Exec(format!(
            "pad takes a text and two numbers of blanks, at most {MAX_PAD}"
        )));
    };
    let text = arguments[0].to_string();
    if text.is_empty() {
        return Ok(string(text));
    }
    let blanks = |count: i64| " ".repeat(usize::try_from(count).unwrap_or_default());
    Ok(string(format!("{}{text}{}", blanks(before), blanks(after))))
}

/// `truncate TEXT LENGTH`: at most so many characters.
fn truncate(arguments: &[Value]) -> Result<Value, TemplateError> {
    let length = match arguments {
        [_, length] => length.as_int().and_then(|length| usize::try_from(length).ok()),
        _ => None,
    };
    let Some(length) = length else {
        return Err(TemplateError::Exec("truncate takes a text and a length".into()));
    };
    Ok(string(
        arguments[0].to_string().chars().take(length).collect::<String>(),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn image() -> Json {
        json!({
            "Name": "docker.io/library/busybox",
            "Digest": "sha256:ab",
            "RepoTags": ["1", "2"],
            "Created": "2026-01-02T03:04:05.5Z",
            "Labels": {"a.b": "c"},
            "Env": null,
            "LayersData": [{"MIMEType": "x", "Size": 10, "Annotations": null}],
        })
    }

    fn shown(format: &str) -> String {
        render(format, &image(), Subject::Image).unwrap()
    }

    #[test]
    fn templates() {
        let rows = [
            ("{{.Name}}", "docker.io/library/busybox\n"),
            ("{{.Name}}\\n", "docker.io/library/busybox\n"),
            ("{{ .Digest }} {{len .RepoTags}}", "sha256:ab 2\n"),
            ("{{.RepoTags}}", "[1 2]\n"),
            ("{{range .RepoTags}}{{.}};{{end}}", "1;2;\n"),
            ("{{join .RepoTags \",\"}}", "1,2\n"),
            ("{{json .RepoTags}}", "[\"1\",\"2\"]\n"),
            ("{{json .Labels}}", "{\"a.b\":\"c\"}\n"),
            ("{{json .Created}}", "\"2026-01-02T03:04:05.5Z\"\n"),
            ("{{.Created}}", "2026-01-02 03:04:05.5 +0000 UTC\n"),
            ("{{.Env}}", "[]\n"),
            ("{{index .Labels \"a.b\"}}", "c\n"),
            ("{{range .LayersData}}{{.MIMEType}} {{.Size}}{{end}}", "x 10\n"),
            ("{{upper .Name}}", "DOCKER.IO/LIBRARY/BUSYBOX\n"),
            ("{{lower \"ABC\"}} {{title \"a b\"}}", "abc A B\n"),
            ("{{truncate .Name 6}}|{{pad \"x\" 1 2}}|", "docker| x  |\n"),
            ("{{index (split .Name \"/\") 1}}", "library\n"),
            (
                "table {{.Digest}}\\t{{.Name}}",
                "DIGEST      NAME\nsha256:ab   docker.io/library/busybox\n",
            ),
        ];
        for (format, expected) in rows {
            assert_eq!(shown(format), expected, "{format}");
        }
    }

    #[test]
    fn configs_have_the_fields_of_go() {
        let config = json!({
            "architecture": "arm64", "os": "linux",
            "config": {"Env": ["A=b"], "Labels": {"os": "x"}},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]},
        });
        let shown = |format| render(format, &config, Subject::Config).unwrap();
        assert_eq!(
            shown("{{.Architecture}}/{{.OS}} {{.RootFS.DiffIDs}}"),
            "arm64/linux [sha256:1]\n"
        );
        assert_eq!(shown("{{.Config.Env}} {{.Config.Labels.os}}"), "[A=b] x\n");
        assert_eq!(
            shown("{{json .RootFS}} {{json .Config.Labels}}"),
            "{\"diff_ids\":[\"sha256:1\"],\"type\":\"layers\"} {\"os\":\"x\"}\n"
        );
    }

    #[test]
    fn what_is_no_template_or_asks_for_what_is_not_there_is_an_error() {
        for format in [
            "{{.Name",
            "{{.Nothing}}",
            "{{nothing .Name}}",
            "{{join .RepoTags}}",
            "{{pad .Name 1 99999999}}",
            "{{truncate .Name -1}}",
            "{{.Name.More}}",
        ] {
            assert!(render(format, &image(), Subject::Image).is_err(), "{format}");
        }
    }
}
