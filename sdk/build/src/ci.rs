//! `cargo ci`: every check and every test, on a machine that has what they need or gets it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::debian::{self, Package};
use crate::project::Project;
use crate::{deny, plugins, report, run};

const PEERS: [Package; 13] = [
    Package {
        name: "docker-registry",
        brings: "docker-registry",
    },
    Package {
        name: "skopeo",
        brings: "skopeo",
    },
    Package {
        name: "podman",
        brings: "podman",
    },
    Package {
        name: "buildah",
        brings: "buildah",
    },
    Package {
        name: "uidmap",
        brings: "newuidmap",
    },
    Package {
        name: "umoci",
        brings: "umoci",
    },
    Package {
        name: "docker.io",
        brings: "dockerd",
    },
    Package {
        name: "ostree",
        brings: "ostree",
    },
    Package {
        name: "gnupg",
        brings: "gpg",
    },
    Package {
        name: "openssl",
        brings: "openssl",
    },
    Package {
        name: "apache2-utils",
        brings: "htpasswd",
    },
    Package {
        name: "strace",
        brings: "strace",
    },
    Package {
        name: "tmux",
        brings: "tmux",
    },
];

/// Installs what the tests need, then checks and tests the host and the plugins.
pub(crate) fn run(project: &Project) -> Result<()> {
    let started = Instant::now();
    debian::ensure("the tests", &PEERS)?;
    let cargo_deny = deny::find(project)?;

    report::heading("formatting");
    run::run(project.cargo("fmt").args(["--all", "--check"]))?;
    run::run(project.plugin_cargo("fmt").args(["--all", "--check"]))?;

    report::heading("licences, bans and sources of dependencies");
    check_dependencies(project, &cargo_deny, project.root())?;
    check_dependencies(project, &cargo_deny, &project.plugins())?;

    plugins::build(project)?;

    report::heading("lints");
    let lints = ["--workspace", "--all-targets", "--", "--deny", "warnings"];
    run::run(project.cargo("clippy").arg("--release").args(lints))?;
    run::run(project.plugin_cargo("clippy").args(lints))?;

    report::heading("tests");
    project.build_binaries(&[])?;
    run::run(project.cargo("test").args(["--release", "--workspace"]))?;
    run::run(project.plugin_cargo("test").args(["--workspace", "--lib"]))?;

    report::heading(&format!("all checks passed in {} s", started.elapsed().as_secs()));
    Ok(())
}

fn check_dependencies(project: &Project, cargo_deny: &Path, workspace: &Path) -> Result<()> {
    let mut command = Command::new(cargo_deny);
    command
        .current_dir(workspace)
        .args(["--locked", "--workspace", "--config"])
        .arg(project.root().join(".cargo/deny.toml"))
        .args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    run::run(&mut command)
}
