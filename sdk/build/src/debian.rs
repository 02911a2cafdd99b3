//! Debian packages that a task needs: found, or installed on Debian 12 as root, or listed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{report, run};

/// A package and the sign that what it brings is already there.
pub(crate) struct Package {
    /// Its name in Debian 12.
    pub(crate) name: &'static str,
    /// A program in PATH, or an absolute path, that the package brings.
    pub(crate) brings: &'static str,
}

impl Package {
    fn is_there(&self) -> bool {
        if self.brings.starts_with('/') {
            Path::new(self.brings).exists()
        } else {
            run::find_program(self.brings).is_some()
        }
    }
}

/// Makes sure that every package is there.
///
/// What is missing is installed on Debian 12 as root, after it was printed; elsewhere the error
/// lists it. Nothing is removed, and no service that a package brings is started.
pub(crate) fn ensure(purpose: &str, packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|package| !package.is_there())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_debian_12() {
        bail!("{purpose} needs what these Debian packages bring: {list}; install the same here");
    }
    if !is_root()? {
        bail!("{purpose} needs Debian packages: as root, run `apt-get install {list}`");
    }
    report::line(&format!("{purpose} needs Debian packages that are missing: {list}"));
    run::run(apt_get().arg("update").arg("--quiet"))?;
    report::line(&format!("apt-get will install: {}", planned(&missing)?));
    let _services = NoServices::begin()?;
    run::run(install(&missing).arg("--yes").env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_debian_12() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let has = |wanted: &str| release.lines().any(|line| line.replace('"', "") == wanted);
    has("ID=debian") && has("VERSION_ID=12") && run::find_program("apt-get").is_some()
}

fn is_root() -> Result<bool> {
    Ok(run::output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn apt_get() -> Command {
    Command::new("apt-get")
}

fn install(packages: &[&str]) -> Command {
    let mut command = apt_get();
    command
        .args(["install", "--quiet", "--no-install-recommends", "--no-remove"])
        .args(packages);
    command
}

/// The names of everything that apt-get would install, dependencies included.
fn planned(packages: &[&str]) -> Result<String> {
    let simulation = run::output(install(packages).arg("--simulate"))?;
    Ok(installed_names(&simulation).join(" "))
}

fn installed_names(simulation: &str) -> Vec<&str> {
    simulation
        .lines()
        .filter_map(|line| line.strip_prefix("Inst "))
        .filter_map(|line| line.split(' ').next())
        .collect()
}

/// What packages ask before they start a service; status 101 forbids it.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";
const FORBIDDEN: i32 = 101;

/// While this lives, installing a package starts no service.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        let policy = Path::new(SERVICE_POLICY);
        if policy.exists() {
            let answer = Command::new(policy)
                .args(["docker-registry", "start"])
                .status()
                .with_context(|| format!("cannot ask {SERVICE_POLICY}"))?;
            if answer.code() != Some(FORBIDDEN) {
                bail!(
                    "{SERVICE_POLICY} of this machine lets a package start its service; \
                     install the packages above by hand"
                );
            }
            return Ok(Self { ours: false });
        }
        fs::write(policy, format!("#!/bin/sh\nexit {FORBIDDEN}\n"))
            .and_then(|()| fs::set_permissions(policy, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {SERVICE_POLICY}"))?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(SERVICE_POLICY).is_err() {
            report::line(&format!("warning: {SERVICE_POLICY} is left behind; remove it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Package, installed_names};

    #[test]
    fn a_simulation_names_what_would_be_installed() {
        let simulation = "Reading package lists...\n\
            The following NEW packages will be installed:\n  umoci\n\
            Inst libgpgme11 (1.18.0-3 Debian:12/stable [amd64])\n\
            Inst umoci (0.4.7 Debian:12/stable [amd64])\n\
            Conf libgpgme11 (1.18.0-3 Debian:12/stable [amd64])\n";
        assert_eq!(installed_names(simulation), ["libgpgme11", "umoci"]);
        assert_eq!(installed_names("Reading package lists...\n"), Vec::<&str>::new());
    }

    #[test]
    fn packages_are_there_by_what_they_bring() {
        for (brings, there) in [
            ("sh", true),
            ("/etc/passwd", true),
            ("no-such-program", false),
            ("/no/such/file", false),
        ] {
            assert_eq!(Package { name: "any", brings }.is_there(), there, "{brings}");
        }
    }
}
