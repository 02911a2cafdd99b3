//! Platform choice, PS-02 to PS-05.

use super::super::vectors::digest;
use super::super::{Kind, ManifestList};
use crate::{Descriptor, ErrorKind, Platform, PlatformWish};

const ZSTD: &str = "io.github.containers.compression.zstd";

/// Entries as `OS/ARCHITECTURE/VARIANT`, with `+zstd` behind if annotated; `-` has no platform.
fn list(kind: Kind, entries: &[&str]) -> ManifestList {
    let entry = |(index, text): (usize, &&str)| {
        let (platform, zstd) = text
            .strip_suffix("+zstd")
            .map_or((*text, false), |platform| (platform, true));
        let mut entry = Descriptor::new(kind.image_type(), digest(&index.to_string()), 1);
        let mut parts = platform.split('/');
        let mut part = || parts.next().unwrap_or_default();
        entry.platform = (platform != "-").then(|| Platform::new(part(), part(), part()));
        if zstd {
            entry.annotations.insert(ZSTD.into(), "true".into());
        }
        entry
    };
    ManifestList::new(kind, entries.iter().enumerate().map(entry).collect())
}

fn chosen(list: &ManifestList, wish: &str) -> Option<usize> {
    let digest = list.choose(&wish.parse().unwrap()).ok()?.digest.clone();
    list.manifests.iter().position(|entry| entry.digest == digest)
}

#[test]
fn both_kinds_of_list() {
    let rows: [(&[&str], &str, Option<usize>); 16] = [
        (&["linux/arm64", "linux/amd64"], "linux/amd64", Some(1)),
        (&["windows/amd64", "linux/amd64"], "linux/amd64", Some(1)),
        (&["linux/amd64", "linux/amd64"], "linux/amd64", Some(0)),
        (&["linux/amd64/v2", "linux/amd64"], "linux/amd64", Some(1)),
        (&["linux/amd64/v2"], "linux/amd64", None),
        (&["linux/amd64/v2", "linux/amd64"], "linux/amd64/v2", Some(0)),
        (&["linux/amd64/v3", "linux/amd64"], "linux/amd64/v2", Some(1)),
        (
            &["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"],
            "linux/arm/v7",
            Some(2),
        ),
        (
            &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"],
            "linux/arm/v7",
            Some(1),
        ),
        (&["linux/arm/v8"], "linux/arm/v7", None),
        (&["linux/arm", "linux/arm/v5"], "linux/arm/v6", Some(1)),
        (&["linux/arm/v7", "linux/arm"], "linux/arm", Some(1)),
        (&["linux/arm/v5", "linux/arm/v7"], "linux/arm", Some(1)),
        (&["linux/arm64", "linux/arm64/v8"], "linux/arm64/v8", Some(1)),
        (&["linux/arm64/v8"], "linux/arm64", Some(0)),
        (&[], "linux/amd64", None),
    ];
    for (entries, wish, expected) in rows {
        for kind in [Kind::Docker, Kind::Oci] {
            assert_eq!(
                chosen(&list(kind, entries), wish),
                expected,
                "{kind:?} {entries:?} {wish}"
            );
        }
    }
}

#[test]
fn an_index_ranks_zstd_and_entries_without_platform() {
    let rows: [(&[&str], &str, Option<usize>); 7] = [
        (&["linux/amd64", "linux/amd64+zstd"], "linux/amd64", Some(1)),
        (
            &["linux/amd64+zstd", "linux/amd64", "linux/amd64+zstd"],
            "linux/amd64",
            Some(0),
        ),
        // Platform before compression.
        (&["linux/arm/v7", "linux/arm/v6+zstd"], "linux/arm/v7", Some(0)),
        (&["-", "linux/amd64"], "linux/amd64", Some(1)),
        (&["linux/arm64", "-", "-"], "linux/amd64", Some(1)),
        (&["-", "-+zstd"], "linux/amd64", Some(1)),
        (&["unknown/unknown"], "linux/amd64", None),
    ];
    for (entries, wish, expected) in rows {
        assert_eq!(chosen(&list(Kind::Oci, entries), wish), expected, "{entries:?} {wish}");
    }
    assert_eq!(chosen(&list(Kind::Docker, &["-"]), "linux/amd64"), None);
    assert_eq!(
        chosen(&list(Kind::Docker, &["linux/amd64", "linux/amd64+zstd"]), "linux/amd64"),
        Some(0)
    );
}

#[test]
fn messages_are_those_of_skopeo() {
    let wish = PlatformWish {
        variant: Some("v7".into()),
        ..PlatformWish::new("linux", "arm")
    };
    for (kind, name) in [(Kind::Docker, "manifest list"), (Kind::Oci, "image index")] {
        let error = list(kind, &["linux/amd64"]).choose(&wish).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("no image found in {name} for architecture \"arm\", variant \"v7\", OS \"linux\"")
        );
        assert_eq!(error.kind(), ErrorKind::ImageNotFound);
    }
}
