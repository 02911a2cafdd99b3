//! Runs a command on `containers-storage` inside a user namespace, for users without root's rights.
//!
//! The files of a user's storage belong to the user and to the ids that `/etc/subuid` and `/etc/subgid` set aside.
//! Inside a namespace that maps these the user is root over them. Who may enter such a mapping are the set-uid
//! programs `newuidmap` and `newgidmap`, and they must run outside of it: a copy of this program waits there for the
//! namespace to be made, has it mapped, and ends. Then this process replaces itself with the program proper, so its id,
//! its streams and its signals stay what they were.

mod id_map;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use rustix::thread::{CapabilitySet, UnshareFlags};

use id_map::IdMap;

/// The program itself, whatever its path has become.
const SELF: &str = "/proc/self/exe";
/// Set inside a user namespace that was made for containers; c/storage's programs know it, too.
const CONFIGURED: &str = "_CONTAINERS_USERNS_CONFIGURED";
/// Tells the copy of the program which process to map.
const MAP_PROCESS: &str = "_LONGSHORE_MAP_PROCESS";

/// What the copy is told when there is a namespace.
const MADE: &[u8] = b"made";

/// What a copy of containers-storage needs to be allowed.
const NEEDED: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SYS_ADMIN);

/// Does what a copy of the program was started for, if this is one; and returns whether it was.
///
/// # Errors
///
/// The ids cannot be mapped.
pub(crate) fn map_if_asked() -> anyhow::Result<bool> {
    let Some(process) = std::env::var_os(MAP_PROCESS) else {
        return Ok(false);
    };
    let mut made = Vec::new();
    io::stdin()
        .read_to_end(&mut made)
        .context("waiting for the user namespace")?;
    if made != MADE {
        bail!("no user namespace was made");
    }
    let (users, groups) = own_maps()?;
    for (program, map) in [("newuidmap", users), ("newgidmap", groups)] {
        let status = Command::new(program).arg(&process).args(map.arguments()).status();
        let status = status.with_context(|| format!("cannot start {program}"))?;
        if !status.success() {
            bail!("{program} failed: {status}");
        }
    }
    Ok(true)
}

/// Enters a user namespace if an image of `containers-storage` is named and this process lacks the rights for it. Then
/// it does not return: the program starts again inside. To be called before there is any thread.
///
/// # Errors
///
/// The namespace cannot be made.
pub(crate) fn enter_if_needed() -> anyhow::Result<()> {
    let named = |word: &OsStr| word.as_bytes().starts_with(b"containers-storage:");
    let is_named = std::env::args_os().skip(1).any(|word| named(&word));
    if !is_named || std::env::var_os(CONFIGURED).is_some() || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let allowed = rustix::thread::capabilities(None).context("reading the process's capabilities")?;
    if allowed.effective.contains(NEEDED) {
        return Ok(());
    }
    enter().context("cannot enter a user namespace for containers-storage")
}

fn enter() -> anyhow::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let (users, groups) = own_maps()?;
    if users.has_set_aside() && groups.has_set_aside() {
        let mut mapper = Command::new(SELF)
            .env(MAP_PROCESS, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {SELF}"))?;
        unshare()?;
        // Its end of the pipe is closed with the handle; a mapper that ended early says why.
        drop(mapper.stdin.take().map(|mut pipe| pipe.write_all(MADE)));
        let mapped = mapper.wait_with_output().context("waiting for the mapper")?;
        if !mapped.status.success() {
            bail!("{}", String::from_utf8_lossy(&mapped.stderr).trim().replace('\n', ": "));
        }
    } else {
        // Files of the user alone can be had without help.
        unshare()?;
        for (file, text) in [
            ("/proc/self/setgroups", "deny".to_owned()),
            ("/proc/self/uid_map", format!("0 {user} 1\n")),
            ("/proc/self/gid_map", format!("0 {group} 1\n")),
        ] {
            fs::write(file, text).with_context(|| format!("writing {file}"))?;
        }
    }
    let mut words = std::env::args_os();
    let mut inside = Command::new(SELF);
    if let Some(name) = words.next() {
        inside.arg0(name);
    }
    let inside = inside.args(words).env(CONFIGURED, "done");
    let inside = inside.env(longshore_config::ROOTLESS_UID, user.to_string());
    let error = inside.env("_CONTAINERS_ROOTLESS_GID", group.to_string()).exec();
    Err(error).context("cannot start inside it")
}

fn unshare() -> anyhow::Result<()> {
    // SAFETY: the flags leave the table of file descriptors alone, which is what the function warns of.
    #[expect(unsafe_code, reason = "rustix has no safe way to enter a namespace")]
    let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) };
    unshared.context("the system allows none")
}

/// The users and groups of the namespace: the process's own, and what is set aside for it.
fn own_maps() -> anyhow::Result<(IdMap, IdMap)> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let name = id_map::user_name(&read("/etc/passwd")?, user);
    let name = name.as_deref();
    let users = IdMap::new(user, &read("/etc/subuid")?, name, user);
    let groups = IdMap::new(group, &read("/etc/subgid")?, name, user);
    Ok((users, groups))
}

/// A file that need not be there.
fn read(path: &str) -> anyhow::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {path}")),
    }
}
