//! `containers-storage:` for a user without root's rights, in a user namespace (X-08).

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use longshore_tests::{Finished, Scratch, check_dir};

/// Debian's `nobody`.
const USER: u32 = 65534;

/// Runs its words as the user, for whom the file `$1` sets ids aside. Mounts are those of this process alone.
const AS_USER: &str = r#"mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift &&
    exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@""#;

struct User {
    scratch: Scratch,
}

impl User {
    fn new(set_aside: &str) -> Self {
        let scratch = Scratch::new().unwrap();
        let root = scratch.path("");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(scratch.path("set-aside"), set_aside).unwrap();
        fs::create_dir_all(scratch.path("home/run")).unwrap();
        // The folder that it was built in may be closed to others.
        drop(scratch.longshore_as("link"));
        fs::copy(
            fs::canonicalize(scratch.path("link")).unwrap(),
            scratch.path("longshore"),
        )
        .unwrap();
        Self { scratch }
    }

    fn run(&self, script: &str, program: &str, arguments: &[&str]) -> Finished {
        let set_aside = self.scratch.path("set-aside").display().to_string();
        let unshare = self.scratch.peer("unshare").args(["--mount", "sh", "-c", script, "sh"]);
        unshare.args([&set_aside, program]).args(arguments).run()
    }

    fn skopeo(&self, arguments: &[&str]) -> Finished {
        self.run(AS_USER, "skopeo", arguments)
    }

    fn ours(&self, arguments: &[&str]) -> Finished {
        self.run_after(AS_USER, arguments)
    }

    fn run_after(&self, script: &str, arguments: &[&str]) -> Finished {
        self.run(script, &self.scratch.path("longshore").display().to_string(), arguments)
    }

    fn storage(&self, driver: &str) -> String {
        let at = |name: &str| self.scratch.path(name).display().to_string();
        format!("containers-storage:[{driver}@{}+{}]foo:1", at("graph"), at("run"))
    }

    /// Makes `dir:made`, an image with files of several owners that only these can read.
    fn make_image(&self) {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, owner) in [("of-root", 0), ("of-somebody", 1000), ("of-somebody-else", 65000)] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_uid(owner);
            header.set_gid(owner);
            header.set_size(path.len() as u64);
            archive.append_data(&mut header, path, path.as_bytes()).unwrap();
        }
        fs::write(self.scratch.path("made.tar"), archive.into_inner().unwrap()).unwrap();
        let copy = self.scratch.longshore().arg("copy");
        let (from, to) = (
            self.scratch.name("tarball", "made.tar"),
            self.scratch.name("dir", "made"),
        );
        copy.args([&from, &to]).run().success();
        give(&self.scratch.path(""));
    }
}

/// Gives a folder and what is in it to the user.
fn give(folder: &Path) {
    chown(folder, Some(USER), Some(USER)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap() {
            metadata if metadata.is_dir() => give(&path),
            metadata if metadata.is_file() => chown(&path, Some(USER), Some(USER)).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn storage_of_an_ordinary_user() {
    let user = User::new("nobody:300000:65536\n");
    user.make_image();
    for driver in ["overlay", "vfs"] {
        let image = user.storage(driver);
        let made = user.scratch.name("dir", "made");
        user.skopeo(&["copy", &made, &image]).success();
        // Somebody's files belong to ids that only the namespace lets the user read.
        let private = find(&user.scratch.path("graph"), "of-somebody").unwrap();
        assert_eq!(private.symlink_metadata().unwrap().uid(), 300_999);

        let read = user.scratch.path("read");
        user.ours(&["copy", &image, &format!("dir:{}", read.display())])
            .success();
        let (made, read_image) = (check_dir(&user.scratch.path("made")), check_dir(&read));
        assert_eq!(read_image.unwrap().diff_ids, made.unwrap().diff_ids);
        // What comes out is the user's own.
        assert_eq!(read.join("manifest.json").metadata().unwrap().uid(), USER);
        user.ours(&["delete", &image]).success();
        user.ours(&["inspect", &image])
            .with_status(2)
            .says(&["does not resolve to an image ID"]);
        fs::remove_dir_all(read).unwrap();
        fs::remove_dir_all(user.scratch.path("graph")).unwrap();
    }
}

/// A file somewhere below a folder.
fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|own| own == name) {
            return Some(path);
        }
        path.symlink_metadata()
            .unwrap()
            .is_dir()
            .then(|| find(&path, name))
            .flatten()
    })
}

#[test]
fn nothing_set_aside_gives_the_users_own_files() {
    let user = User::new("somebody:1:1\n");
    user.make_image();
    let image = user.storage("vfs");
    // Whoever looks into an empty store gets as far as to miss the image there.
    fs::create_dir(user.scratch.path("graph")).unwrap();
    chown(user.scratch.path("graph"), Some(USER), Some(USER)).unwrap();
    let inspect = user.ours(&["inspect", &image]);
    assert!(!inspect.stderr().contains("user namespace"), "{}", inspect.story());
    inspect.with_status(2);
}

#[test]
fn ids_that_cannot_be_mapped_are_said_so() {
    let user = User::new("nobody:300000:65536\n");
    user.make_image();
    let hidden = format!("mount --bind /dev/null /usr/bin/newuidmap && {AS_USER}");
    let failed = user.run_after(&hidden, &["inspect", &user.storage("vfs")]);
    failed.fails_with(&[
        "cannot start newuidmap",
        "cannot enter a user namespace for containers-storage",
    ]);
    // Other transports need none.
    let made = user.scratch.name("dir", "made");
    user.run_after(&hidden, &["inspect", &made]).success();
}
