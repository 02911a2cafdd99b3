//! The image-spec's config in the order in which Go's types write it.

use std::collections::BTreeMap;

use oci_spec::image::History;
use serde::Serialize;

use super::ImageConfig;

#[derive(Serialize)]
pub(super) struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'a str,
    architecture: &'a str,
    os: &'a str,
    #[serde(rename = "os.version", skip_serializing_if = "str::is_empty")]
    os_version: &'a str,
    #[serde(rename = "os.features", skip_serializing_if = "<[_]>::is_empty")]
    os_features: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    variant: &'a str,
    config: Execution<'a>,
    rootfs: RootFs<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<Step<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Execution<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<&'a str, Nothing>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    env: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    volumes: BTreeMap<&'a str, Nothing>,
    #[serde(skip_serializing_if = "str::is_empty")]
    working_dir: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    stop_signal: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    args_escaped: bool,
}

/// Go's `struct{}`, written `{}`.
#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct RootFs<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    /// `null` if there are none, as Go writes a nil slice.
    diff_ids: Option<&'a [String]>,
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    created_by: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    empty_layer: bool,
}

impl<'a> Config<'a> {
    pub(super) fn of(config: &'a ImageConfig) -> Self {
        let spec = &config.spec;
        Self {
            created: config.created(),
            author: config.author(),
            architecture: config.architecture(),
            os: config.os(),
            os_version: text(spec.os_version()),
            os_features: spec.os_features().as_deref().unwrap_or_default(),
            variant: config.variant(),
            config: spec
                .config()
                .as_ref()
                .map(|execution| Execution::of(config, execution))
                .unwrap_or_default(),
            rootfs: RootFs {
                kind: spec.rootfs().typ(),
                diff_ids: Some(spec.rootfs().diff_ids().as_slice()).filter(|diff_ids| !diff_ids.is_empty()),
            },
            history: config
                .history()
                .iter()
                .zip(&config.own.history_created)
                .map(|(step, created)| Step::of(step, created.as_deref()))
                .collect(),
        }
    }
}

impl<'a> Execution<'a> {
    fn of(config: &'a ImageConfig, execution: &'a oci_spec::image::Config) -> Self {
        Self {
            user: text(execution.user()),
            exposed_ports: set(execution.exposed_ports()),
            env: execution.env().as_deref().unwrap_or_default(),
            entrypoint: execution.entrypoint().as_deref().unwrap_or_default(),
            cmd: execution.cmd().as_deref().unwrap_or_default(),
            volumes: set(execution.volumes()),
            working_dir: text(execution.working_dir()),
            labels: config.labels().unwrap_or_default(),
            stop_signal: text(execution.stop_signal()),
            args_escaped: config.own.args_escaped,
        }
    }
}

impl<'a> Step<'a> {
    fn of(step: &'a History, created: Option<&'a str>) -> Self {
        Self {
            created,
            created_by: text(step.created_by()),
            author: text(step.author()),
            comment: text(step.comment()),
            empty_layer: step.empty_layer().unwrap_or_default(),
        }
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

fn set(names: &Option<Vec<String>>) -> BTreeMap<&str, Nothing> {
    names.iter().flatten().map(|name| (name.as_str(), Nothing {})).collect()
}
