use jiff::Timestamp;
use longshore_guest::Error;
use longshore_types::{Digest, json};
use serde::Serialize;

/// A layer, as far as the config tells of it.
pub(crate) struct Described {
    /// Of its uncompressed bytes.
    pub(crate) diff_id: Digest,
    /// When its file last changed, in seconds since 1970.
    pub(crate) modified: i64,
}

/// The config of an image-spec image, with the members and in the order of the reference implementation.
#[derive(Serialize)]
struct Config<'a> {
    created: String,
    architecture: &'a str,
    os: &'a str,
    /// Nothing is known of how it is run.
    config: Nothing,
    rootfs: RootFs<'a>,
    history: Vec<History>,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct RootFs<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<&'a str>,
}

#[derive(Serialize)]
struct History {
    created: String,
    created_by: String,
    comment: &'static str,
}

/// The config of an image for the given platform, as old as the newest of its layers (TB-01).
pub(crate) fn config(layers: &[Described], os: &str, architecture: &str) -> Result<Vec<u8>, Error> {
    let newest = layers.iter().map(|layer| layer.modified).max();
    let history = layers.iter().map(|layer| {
        Ok(History {
            created: time(layer.modified)?,
            created_by: format!("/bin/sh -c #(nop) ADD file:{} in /", layer.diff_id.hex()),
            comment: "imported from tarball",
        })
    });
    let config = Config {
        created: time(newest.unwrap_or_default())?,
        architecture,
        os,
        config: Nothing {},
        rootfs: RootFs {
            kind: "layers",
            diff_ids: layers.iter().map(|layer| layer.diff_id.as_str()).collect(),
        },
        history: history.collect::<Result<_, Error>>()?,
    };
    json::to_vec(&config).map_err(Error::invalid_data)
}

fn time(seconds: i64) -> Result<String, Error> {
    let time = Timestamp::from_second(seconds);
    time.map(|time| time.to_string())
        .map_err(|error| Error::invalid_data(format_args!("a file's time cannot be told: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn configs_are_those_of_the_reference_implementation() {
        let digests = ["a", "b"].map(|digit| digit.repeat(64));
        let layers = [(&digests[0], 1_700_000_000), (&digests[1], 1_600_000_000)];
        let layers = layers.map(|(digest, modified)| Described {
            diff_id: Digest::parse(&format!("sha256:{digest}")).unwrap(),
            modified,
        });
        let [a, b] = &digests;
        let expected = format!(
            "{{\"created\":\"2023-11-14T22:13:20Z\",\"architecture\":\"arm64\",\"os\":\"linux\",\"config\":{{}},\
             \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"sha256:{a}\",\"sha256:{b}\"]}},\"history\":[\
             {{\"created\":\"2023-11-14T22:13:20Z\",\"created_by\":\"/bin/sh -c #(nop) ADD file:{a} in /\",\
             \"comment\":\"imported from tarball\"}},\
             {{\"created\":\"2020-09-13T12:26:40Z\",\"created_by\":\"/bin/sh -c #(nop) ADD file:{b} in /\",\
             \"comment\":\"imported from tarball\"}}]}}"
        );
        let written = config(&layers, "linux", "arm64").unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn times() {
        for (seconds, expected) in [
            (0, Some("1970-01-01T00:00:00Z")),
            (-1, Some("1969-12-31T23:59:59Z")),
            (951_782_400, Some("2000-02-29T00:00:00Z")),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(time(seconds).ok().as_deref(), expected, "{seconds}");
        }
    }
}
