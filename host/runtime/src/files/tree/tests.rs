#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};

use super::*;

/// A granted folder `in`, and a secret beside it.
struct Grounds {
    folder: tempfile::TempDir,
    root: Arc<Root>,
}

impl Grounds {
    fn new(writable: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        let root = Root::open(&folder.path().join("in"), writable, Durability::Sync, false).unwrap();
        Self { folder, root }
    }

    fn inside(&self) -> PathBuf {
        self.folder.path().join("in")
    }

    fn tree(&self) -> Tree {
        Tree::of(&self.root).unwrap()
    }

    fn directory(&self) -> Directory {
        Directory::of(&self.root).unwrap()
    }
}

fn code<T>(result: GuestResult<T>) -> String {
    result.err().map_or_else(|| "ok".to_owned(), |error| error.code)
}

const ATTRIBUTES: Attributes = Attributes {
    user: 12,
    group: 34,
    mode: Some(0o6751),
    modified: (1_000_000_000, 5),
};

#[test]
fn a_tree_is_built_and_published_as_a_whole() {
    let grounds = Grounds::new(true);
    let tree = grounds.tree().stage().unwrap();
    tree.make_directory(b"dir").unwrap();
    let file = tree.create_file(b"dir/file").unwrap();
    file.write_at(0, b"content").unwrap();
    tree.make_symlink(b"dir/link", b"/no/where").unwrap();
    tree.hard_link(b"dir/file", b"same").unwrap();
    tree.make_node(b"fifo", FileType::Fifo, (0, 0)).unwrap();
    tree.make_node(b"null", FileType::CharacterDevice, (1, 3)).unwrap();
    tree.set_extended_attribute(b"dir", b"user.one", b"1").unwrap();
    tree.set_attributes(b"dir/file", ATTRIBUTES).unwrap();
    tree.set_attributes(b"null", ATTRIBUTES).unwrap();
    let of_link = Attributes {
        mode: None,
        ..ATTRIBUTES
    };
    tree.set_attributes(b"dir/link", of_link).unwrap();
    tree.set_attributes(b"", ATTRIBUTES).unwrap();
    assert_eq!(tree.read_symlink(b"dir/link").unwrap(), b"/no/where");
    assert_eq!(
        tree.extended_attributes(b"dir").unwrap(),
        [(b"user.one".to_vec(), b"1".to_vec())]
    );
    assert_eq!(tree.status(b"null").unwrap().device, (1, 3));
    let target = grounds.inside().join("deep/er");
    assert!(!target.exists());
    tree.publish(&grounds.directory(), b"deep/er").unwrap();
    assert!(file.write_at(0, b"changed").is_err());
    for (name, mode) in [("", 0o6751), ("dir/file", 0o6751), ("null", 0o6751)] {
        let metadata = fs::symlink_metadata(target.join(name)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode, "{name}");
        assert_eq!((metadata.uid(), metadata.gid()), (12, 34), "{name}");
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_000_000_000, 5), "{name}");
    }
    let link = fs::symlink_metadata(target.join("dir/link")).unwrap();
    assert_eq!((link.uid(), link.mtime()), (12, 1_000_000_000));
    assert_eq!(fs::read(target.join("same")).unwrap(), b"content");
    assert_eq!(fs::metadata(target.join("same")).unwrap().nlink(), 2);
    assert!(fs::metadata(target.join("fifo")).unwrap().file_type().is_fifo());
    // What is published can be looked at and not changed.
    let tree = grounds.tree();
    let status = tree.status(b"deep/er/dir/file").unwrap();
    assert_eq!(
        (status.size, status.mode, status.user, status.links),
        (7, 0o6751, 12, 2)
    );
    assert_eq!(
        tree.open(b"deep/er/dir/file").unwrap().read_at(0, 10).unwrap(),
        b"content"
    );
    for path in ["deep/er/null", "deep/er/fifo", "deep/er/dir/link", "deep/er/dir"] {
        assert_eq!(code(tree.open(path.as_bytes())), "invalid-data", "{path}");
    }
    grounds.root.discard_staged();
    assert_eq!(fs::read_dir(grounds.inside()).unwrap().count(), 1);
}

#[test]
fn only_a_staged_tree_is_changed() {
    let grounds = Grounds::new(true);
    fs::write(grounds.inside().join("file"), "whole").unwrap();
    let tree = grounds.tree();
    for (found, call) in [
        (code(tree.create_file(b"new")), "create-file"),
        (code(tree.make_directory(b"new")), "make-directory"),
        (code(tree.make_node(b"new", FileType::Fifo, (0, 0))), "make-node"),
        (code(tree.make_symlink(b"new", b"x")), "make-symlink"),
        (code(tree.hard_link(b"file", b"new")), "hard-link"),
        (code(tree.set_attributes(b"file", ATTRIBUTES)), "set-attributes"),
        (
            code(tree.set_extended_attribute(b"file", b"user.x", b"")),
            "set-extended-attribute",
        ),
        (code(tree.remove_all(b"file")), "remove-all"),
        (code(grounds.tree().publish(&grounds.directory(), b"new")), "publish"),
        (code(Grounds::new(false).tree().stage()), "stage"),
    ] {
        assert_eq!(found, "access-denied", "{call}");
    }
    assert_eq!(fs::read_dir(grounds.inside()).unwrap().count(), 1);
    assert_eq!(fs::metadata(grounds.inside().join("file")).unwrap().uid(), 0);
}

#[test]
fn nothing_leads_out_of_a_tree() {
    let grounds = Grounds::new(true);
    let secret = grounds.folder.path().join("secret");
    let before = fs::metadata(&secret).unwrap();
    let staged = grounds.tree().stage().unwrap();
    staged.make_directory(b"a").unwrap();
    let absolute = grounds.folder.path().as_os_str().as_bytes().to_vec();
    let targets: [&[u8]; 5] = [b"..", b"../..", b"../../..", b"/", &absolute];
    for (number, target) in targets.iter().enumerate() {
        staged.make_symlink(format!("link{number}").as_bytes(), target).unwrap();
        symlink(
            OsStr::from_bytes(target),
            grounds.inside().join(format!("link{number}")),
        )
        .unwrap();
    }
    for tree in [&staged, &grounds.tree()] {
        for path in ["../secret", "a/../../secret", "/etc/passwd", ".", "..", "a/..", "a//b"] {
            assert_eq!(code(tree.status(path.as_bytes())), "invalid-data", "{path}");
            assert_eq!(code(tree.open(path.as_bytes())), "invalid-data", "{path}");
        }
        for number in 0..targets.len() {
            let path = format!("link{number}/secret");
            assert_eq!(code(tree.status(path.as_bytes())), "not-found", "{path}");
            assert_eq!(code(tree.open(path.as_bytes())), "not-found", "{path}");
            assert_eq!(code(tree.extended_attributes(path.as_bytes())), "not-found", "{path}");
            // The link itself, never what it leads to.
            let link = format!("link{number}");
            assert_eq!(tree.status(link.as_bytes()).unwrap().kind, FileType::Symlink);
            assert_eq!(code(tree.open(link.as_bytes())), "invalid-data");
        }
    }
    for number in 0..targets.len() {
        let path = format!("link{number}/secret");
        assert_eq!(code(staged.hard_link(path.as_bytes(), b"got")), "not-found", "{path}");
        assert_eq!(
            code(staged.set_attributes(path.as_bytes(), ATTRIBUTES)),
            "not-found",
            "{path}"
        );
        let set = staged.set_extended_attribute(path.as_bytes(), b"user.x", b"x");
        assert_eq!(code(set), "not-found", "{path}");
        assert_eq!(code(staged.remove_all(path.as_bytes())), "not-found", "{path}");
        let link = format!("link{number}");
        assert_eq!(code(staged.create_file(link.as_bytes())), "already-exists");
        let of_link = Attributes {
            mode: None,
            ..ATTRIBUTES
        };
        staged.set_attributes(link.as_bytes(), of_link).unwrap();
        assert_ne!(code(staged.set_attributes(link.as_bytes(), ATTRIBUTES)), "ok");
    }
    // Through a link that says `/` there is the tree's own root.
    staged.make_directory(b"link3/made").unwrap();
    assert_eq!(staged.status(b"made").unwrap().kind, FileType::Directory);
    for number in 0..targets.len() {
        staged.remove_all(format!("link{number}").as_bytes()).unwrap();
    }
    for target in ["../out", "link0/out", "a/../../out", "link4/out"] {
        let tree = grounds.tree().stage().unwrap();
        assert_ne!(
            code(tree.publish(&grounds.directory(), target.as_bytes())),
            "ok",
            "{target}"
        );
    }
    let other = Grounds::new(true);
    assert_eq!(code(staged.publish(&other.directory(), b"x")), "access-denied");
    let after = fs::metadata(&secret).unwrap();
    assert_eq!(
        (before.ctime(), before.ctime_nsec(), before.nlink()),
        (after.ctime(), after.ctime_nsec(), after.nlink())
    );
    assert_eq!(fs::read_dir(grounds.folder.path()).unwrap().count(), 2);
}

#[test]
fn renames_under_its_feet_lead_nowhere_else() {
    let grounds = Grounds::new(true);
    fs::create_dir_all(grounds.inside().join("a/b")).unwrap();
    fs::create_dir_all(grounds.folder.path().join("b")).unwrap();
    fs::write(grounds.folder.path().join("b/secret"), "secret").unwrap();
    let tree = grounds.tree();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (link, real) = (grounds.inside().join("a"), grounds.inside().join("moved"));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                fs::rename(&link, &real).unwrap();
                symlink("..", &link).unwrap();
                fs::remove_file(&link).unwrap();
                fs::rename(&real, &link).unwrap();
            }
        });
        for _ in 0..2000 {
            assert_ne!(code(tree.open(b"a/b/secret")), "ok");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn what_is_staged_goes_with_its_handle_and_with_the_operation() {
    let grounds = Grounds::new(true);
    let build = || {
        let tree = grounds.tree().stage().unwrap();
        tree.make_directory(b"a").unwrap();
        tree.create_file(b"a/file").unwrap().write_at(0, b"x").unwrap();
        tree
    };
    let staging = |count: usize| {
        let folders = fs::read_dir(grounds.inside())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let left: usize = folders.map(|folder| fs::read_dir(folder).unwrap().count()).sum();
        assert_eq!(left, count);
    };
    drop(build());
    staging(0);
    std::mem::forget(build());
    staging(1);
    grounds.root.discard_staged();
    assert_eq!(fs::read_dir(grounds.inside()).unwrap().count(), 0);
    fs::create_dir(grounds.inside().join("there")).unwrap();
    assert_eq!(code(build().publish(&grounds.directory(), b"there")), "already-exists");
}

#[test]
fn what_no_file_system_takes() {
    let grounds = Grounds::new(true);
    let tree = grounds.tree().stage().unwrap();
    tree.create_file(b"file").unwrap();
    tree.make_directory(b"dir").unwrap();
    let nodes = [FileType::RegularFile, FileType::Directory, FileType::Symlink];
    for kind in nodes {
        assert_eq!(code(tree.make_node(b"node", kind, (0, 0))), "invalid-data");
    }
    let late = Attributes {
        modified: (0, 1_000_000_000),
        ..ATTRIBUTES
    };
    for (found, expected) in [
        (code(tree.hard_link(b"dir", b"other")), "invalid-data"),
        (code(tree.hard_link(b"file", b"dir")), "already-exists"),
        (code(tree.make_directory(b"missing/dir")), "not-found"),
        (code(tree.read_symlink(b"file")), "invalid-data"),
        (code(tree.set_attributes(b"file", late)), "invalid-data"),
        (
            code(tree.set_extended_attribute(b"file", b"user.x", &[0; (64 << 10) + 1])),
            "invalid-data",
        ),
        (
            code(tree.set_extended_attribute(b"file", b"user.\0", b"")),
            "invalid-data",
        ),
        (code(tree.remove_all(b"")), "invalid-data"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn files_of_a_tree_get_names_of_their_own() {
    let grounds = Grounds::new(true);
    fs::create_dir(grounds.inside().join("objects")).unwrap();
    fs::write(grounds.inside().join("objects/there"), "old").unwrap();
    let tree = grounds.tree().stage().unwrap();
    for name in [b"1", b"2"] {
        let file = tree.create_file(name).unwrap();
        file.write_at(0, b"new").unwrap();
        tree.set_extended_attribute(name, b"user.one", b"1").unwrap();
    }
    tree.make_symlink(b"3", b"/no/where").unwrap();
    tree.make_directory(b"4").unwrap();
    let names = [("1", "objects/there"), ("2", "objects/a/b"), ("3", "link")];
    let names = names.map(|(from, to)| (from.as_bytes().to_vec(), to.as_bytes().to_vec()));
    tree.publish_files(&grounds.directory(), &names).unwrap();
    let read = |name: &str| fs::read(grounds.inside().join(name)).unwrap();
    assert_eq!(
        (read("objects/there"), read("objects/a/b")),
        (b"old".to_vec(), b"new".to_vec())
    );
    assert_eq!(fs::metadata(grounds.inside().join("objects/a/b")).unwrap().nlink(), 1);
    assert_eq!(
        fs::read_link(grounds.inside().join("link")).unwrap(),
        Path::new("/no/where")
    );
    let attributes = grounds.tree().extended_attributes(b"objects/a/b").unwrap();
    assert!(attributes.contains(&(b"user.one".to_vec(), b"1".to_vec())));
}

#[test]
fn only_files_of_a_staged_tree_are_published_one_by_one() {
    let grounds = Grounds::new(true);
    for (from, to, expected) in [
        ("file", "../out", "invalid-data"),
        ("../file", "x", "invalid-data"),
        ("/etc/passwd", "x", "invalid-data"),
        ("directory", "x", "invalid-data"),
        ("nothing", "x", "not-found"),
    ] {
        let tree = grounds.tree().stage().unwrap();
        tree.make_directory(b"directory").unwrap();
        tree.create_file(b"file").unwrap();
        let names = [(from.as_bytes().to_vec(), to.as_bytes().to_vec())];
        let published = tree.publish_files(&grounds.directory(), &names);
        assert_eq!(code(published), expected, "{from} {to}");
    }
    let unstaged = grounds.tree().publish_files(&grounds.directory(), &[]);
    assert_eq!(code(unstaged), "access-denied");
    assert!(!grounds.folder.path().join("out").exists() && !grounds.inside().join("x").exists());
}
