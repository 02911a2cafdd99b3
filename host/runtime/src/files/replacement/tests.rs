#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// Files below a directory and their content, sorted.
fn tree(path: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap_or_default(),
            )
        })
        .collect();
    files.sort();
    files
}

fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files
        .iter()
        .map(|(name, content)| ((*name).to_owned(), (*content).to_owned()))
        .collect()
}

fn fill(replacement: &Replacement) {
    let directory = replacement.directory().unwrap();
    let staged = directory.stage().unwrap();
    staged.file().unwrap().write_at(0, b"blob").unwrap();
    staged.publish(&directory, b"blob", true).unwrap();
    directory.replace(b"manifest.json", b"new").unwrap();
}

const NEW: &[(&str, &str)] = &[("blob", "blob"), ("manifest.json", "new")];

#[test]
fn a_directory_takes_the_place_of_another() {
    for durability in [Durability::Sync, Durability::NoSync] {
        let temporary = tempfile::tempdir().unwrap();
        let target = temporary.path().join("image");
        let replacement = Replacement::create(Replacement::resolve(&target).unwrap(), durability).unwrap();
        fill(&replacement);
        assert!(!target.exists());
        replacement.commit().unwrap();
        assert_eq!(tree(&target), pairs(NEW));

        fs::write(target.join("old"), "old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o711)).unwrap();
        let replacement = Replacement::create(Replacement::resolve(&target).unwrap(), durability).unwrap();
        fill(&replacement);
        assert!(target.join("old").exists());
        replacement.commit().unwrap();
        assert_eq!(tree(&target), pairs(NEW));
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o711);
        assert_eq!(
            fs::read_dir(temporary.path()).unwrap().count(),
            1,
            "nothing else is left"
        );
    }
}

#[test]
fn a_directory_that_is_not_committed_is_gone() {
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("image");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("old"), "old").unwrap();
    let replacement = Replacement::create(Replacement::resolve(&target).unwrap(), Durability::Sync).unwrap();
    fill(&replacement);
    drop(replacement);
    assert_eq!(tree(&target), pairs(&[("old", "old")]));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("image");
    let left = temporary.path().join(".longshore-image-1-0");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("blob"), "half").unwrap();
    let other = temporary.path().join(".longshore-another-1-0");
    fs::create_dir(&other).unwrap();
    let running = Replacement::create(Replacement::resolve(&target).unwrap(), Durability::Sync).unwrap();
    assert!(!left.exists());
    // A second writer of the same target leaves the first one alone, and what the first one has made.
    let second = Replacement::create(Replacement::resolve(&target).unwrap(), Durability::Sync).unwrap();
    fill(&running);
    fill(&second);
    running.commit().unwrap();
    let error = second.commit().unwrap_err();
    assert_eq!(error.kind(), longshore_types::ErrorKind::AlreadyExists);
    assert_eq!(tree(&target), pairs(NEW));
    assert!(other.exists());
}

#[test]
fn files_are_moved_one_by_one_where_directories_cannot_be_exchanged() {
    let temporary = tempfile::tempdir().unwrap();
    let (new, target) = (temporary.path().join("new"), temporary.path().join("target"));
    fs::create_dir_all(new.join("sub")).unwrap();
    fs::create_dir_all(target.join("gone")).unwrap();
    for (path, content) in [
        ("new/a", "1"),
        ("new/sub/b", "2"),
        ("target/a", "0"),
        ("target/old", "0"),
    ] {
        fs::write(temporary.path().join(path), content).unwrap();
    }
    let published: Vec<PathBuf> = ["a", "sub/b", "a"].iter().map(PathBuf::from).collect();
    move_one_by_one(&new, &target, &published, Durability::Sync).unwrap();
    assert_eq!(tree(&target), pairs(&[("a", "1"), ("sub", "")]));
    assert_eq!(fs::read_to_string(target.join("sub/b")).unwrap(), "2");
}

#[test]
fn targets_are_resolved() {
    let temporary = tempfile::tempdir().unwrap();
    let real = temporary.path().canonicalize().unwrap();
    fs::create_dir(real.join("there")).unwrap();
    std::os::unix::fs::symlink("there", real.join("link")).unwrap();
    assert_eq!(Replacement::resolve(&real.join("link")).unwrap(), real.join("there"));
    assert_eq!(Replacement::resolve(&real.join("new")).unwrap(), real.join("new"));
    assert!(Replacement::resolve(&real.join("no/parent")).is_err());
    assert!(Replacement::create(PathBuf::from("/"), Durability::Sync).is_err());
}

#[test]
fn what_came_to_be_there_meanwhile_is_not_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("image");
    let begin = || Replacement::create(Replacement::resolve(&target).unwrap(), Durability::NoSync).unwrap();
    let others = |name: &str| {
        fs::create_dir(&target).unwrap();
        fs::write(target.join(name), name).unwrap();
    };

    let replacement = begin();
    fill(&replacement);
    others("thesis");
    let error = replacement.commit().unwrap_err();
    assert_eq!(error.kind(), longshore_types::ErrorKind::AlreadyExists);
    assert_eq!(tree(&target), pairs(&[("thesis", "thesis")]));

    let replacement = begin();
    fill(&replacement);
    fs::rename(&target, temporary.path().join("elsewhere")).unwrap();
    others("second");
    assert!(replacement.commit().is_err());
    assert_eq!(tree(&target), pairs(&[("second", "second")]));
}
