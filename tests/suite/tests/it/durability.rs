//! What a power cut would leave: the order of writes, syncs and renames, as the kernel saw it.
//!
//! The model is the pessimistic one: of a file, nothing is on the disk that was written after its
//! last sync; of a directory, no name that came or went after its own. At the moment that makes an
//! image visible, nothing that the image is made of may depend on luck.

mod trace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use longshore_tests::{ImageSpec, Layer, Packing, Scratch, check_dir, check_layout};

use self::trace::{Event, record};

/// What would be lost, or half there, after a power cut now.
#[derive(Debug, Default)]
struct AtRisk {
    files: BTreeSet<PathBuf>,
    directories: BTreeSet<PathBuf>,
}

impl AtRisk {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Write(file) => {
                self.files.insert(file.clone());
            }
            Event::Sync(path) => {
                self.files.remove(path);
                self.directories.remove(path);
            }
            Event::Make(path) => self.changed(path),
            Event::Rename { from, to, exchange } => {
                for set in [&mut self.files, &mut self.directories] {
                    *set = set.iter().map(|path| renamed(path, from, to, *exchange)).collect();
                }
                self.changed(from);
                self.changed(to);
            }
        }
    }

    fn changed(&mut self, path: &Path) {
        self.directories.extend(path.parent().map(Path::to_path_buf));
    }

    /// What is at risk in a folder, other than in folders for unfinished things.
    fn below(&self, folder: &Path) -> Vec<&PathBuf> {
        let staging = |path: &Path| {
            path.components()
                .any(|part| part.as_os_str().to_string_lossy().starts_with(".longshore-"))
        };
        let all = self.files.iter().chain(&self.directories);
        all.filter(|path| path.starts_with(folder) && !staging(path.strip_prefix(folder).unwrap_or(path)))
            .collect()
    }
}

/// Where a path lies after a rename of itself or of a folder above it.
fn renamed(path: &Path, from: &Path, to: &Path, exchange: bool) -> PathBuf {
    let moved = |a: &Path, b: &Path| {
        path.strip_prefix(a).ok().map(|rest| {
            if rest == Path::new("") {
                b.to_path_buf()
            } else {
                b.join(rest)
            }
        })
    };
    let back = if exchange { moved(to, from) } else { None };
    moved(from, to).or(back).unwrap_or_else(|| path.to_path_buf())
}

fn image(seed: u64) -> ImageSpec {
    ImageSpec::new([
        Layer::new(seed, 3_000_000),
        Layer::new(seed + 1, 20),
        Layer::new(seed + 2, 1_200_000).packed(Packing::Plain),
    ])
}

/// A scratch folder with an image to copy and another one at each destination.
fn prepared() -> Scratch {
    let scratch = Scratch::new().unwrap();
    image(1).make().unwrap().write_dir(&scratch.path("from")).unwrap();
    let old = image(10).make().unwrap();
    old.write_layout(&scratch.path("layout"), "old").unwrap();
    old.write_dir(&scratch.path("folder")).unwrap();
    scratch
}

fn copy(scratch: &Scratch, options: &[&str], to: &str) -> Vec<Event> {
    let tool = scratch
        .longshore()
        .args(options)
        .args(["copy", &scratch.name("dir", "from"), to]);
    record(scratch, tool)
}

#[test]
fn a_layout_names_an_image_when_it_is_on_the_disk() {
    for layout in ["layout", "new-layout"] {
        let scratch = prepared();
        let events = copy(&scratch, &[], &scratch.name("oci", &format!("{layout}:x")));
        let layout = scratch.path(layout);
        let index = layout.join("index.json");
        let mut risk = AtRisk::default();
        let mut named = false;
        for event in &events {
            if matches!(event, Event::Rename { to, .. } if *to == index) {
                named = true;
                let Event::Rename { from, .. } = event else {
                    unreachable!()
                };
                assert!(
                    !risk.files.contains(from),
                    "index.json itself is not on the disk: {events:#?}"
                );
                let lost = risk.below(&layout.join("blobs"));
                assert!(lost.is_empty(), "at risk when the name appears: {lost:#?}\n{events:#?}");
            }
            risk.apply(event);
        }
        assert!(named, "index.json never appears: {events:#?}");
        let lost = risk.below(&layout);
        assert!(lost.is_empty(), "at risk in the end: {lost:#?}\n{events:#?}");
        check_layout(&layout, "x").unwrap();
    }
}

#[test]
fn a_folder_is_exchanged_when_the_new_one_is_on_the_disk() {
    for folder in ["folder", "new-folder"] {
        let scratch = prepared();
        let events = copy(&scratch, &[], &scratch.name("dir", folder));
        let folder = scratch.path(folder);
        let mut risk = AtRisk::default();
        let mut exchanged = false;
        for event in &events {
            if let Event::Rename { from, to, .. } = event
                && *to == folder
            {
                exchanged = true;
                let lost = risk.below(from);
                assert!(
                    lost.is_empty(),
                    "at risk when the folder appears: {lost:#?}\n{events:#?}"
                );
            }
            risk.apply(event);
        }
        assert!(exchanged, "the folder never appears: {events:#?}");
        let parent = folder.parent().unwrap();
        assert!(
            !risk.directories.contains(parent),
            "the exchange is not on the disk: {events:#?}"
        );
        assert!(risk.below(&folder).is_empty(), "{events:#?}");
        check_dir(&folder).unwrap();
    }
}

#[test]
fn without_sync_nothing_is_synced() {
    for to in ["oci:layout:x", "dir:folder"] {
        let events = copy(&prepared(), &["--no-sync"], to);
        assert!(
            events.iter().any(|event| matches!(event, Event::Rename { .. })),
            "{events:#?}"
        );
        assert!(
            !events.iter().any(|event| matches!(event, Event::Sync(_))),
            "{events:#?}"
        );
    }
}

#[test]
fn a_delete_takes_the_name_away_before_the_blobs() {
    let scratch = prepared();
    let tool = scratch.longshore().args(["delete", &scratch.name("oci", "layout:old")]);
    let events = record(&scratch, tool);
    let index = scratch.path("layout/index.json");
    let position = events
        .iter()
        .position(|event| matches!(event, Event::Rename { to, .. } if *to == index));
    assert!(position.is_some(), "index.json is not replaced: {events:#?}");
    let synced = |event: &Event| matches!(event, Event::Sync(path) if *path == scratch.path("layout"));
    assert!(
        events[position.unwrap()..].iter().any(synced),
        "the removal of the name is not on the disk: {events:#?}"
    );
}
