//! Plugins that are part of the program.

/// A built-in plugin.
pub(crate) struct Builtin {
    /// Name of the plugin; a built-in transport or evaluator.
    pub(crate) name: &'static str,
    /// What it serves, so that it need not be loaded to be found. A test
    /// compares this with what the plugin says.
    pub(crate) transports: &'static [&'static str],
    /// Policy requirement types that it answers for, likewise.
    pub(crate) requirement_types: &'static [&'static str],
    /// The component and its compiled form; none in a program that was built
    /// without plugins.
    pub(crate) code: Option<Code>,
}

/// A component in both forms.
pub(crate) struct Code {
    pub(crate) wasm: &'static [u8],
    pub(crate) compiled: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// All of them.
pub(crate) static ALL: &[Builtin] = &[
    Builtin {
        name: "containers-storage",
        transports: &["containers-storage"],
        requirement_types: &[],
        code: CONTAINERS_STORAGE,
    },
    Builtin {
        name: "dir",
        transports: &["dir"],
        requirement_types: &[],
        code: DIR,
    },
    Builtin {
        name: "docker-archive",
        transports: &["docker-archive"],
        requirement_types: &[],
        code: DOCKER_ARCHIVE,
    },
    Builtin {
        name: "docker-daemon",
        transports: &["docker-daemon"],
        requirement_types: &[],
        code: DOCKER_DAEMON,
    },
    Builtin {
        name: "oci",
        transports: &["oci"],
        requirement_types: &[],
        code: OCI,
    },
    Builtin {
        name: "oci-archive",
        transports: &["oci-archive"],
        requirement_types: &[],
        code: OCI_ARCHIVE,
    },
    Builtin {
        name: "ostree",
        transports: &["ostree"],
        requirement_types: &[],
        code: OSTREE,
    },
    Builtin {
        name: "policy-basic",
        transports: &[],
        requirement_types: &["insecureAcceptAnything", "reject"],
        code: POLICY_BASIC,
    },
    Builtin {
        name: "policy-signed-by",
        transports: &[],
        requirement_types: &["signedBaseLayer", "signedBy"],
        code: POLICY_SIGNED_BY,
    },
    Builtin {
        name: "policy-sigstore",
        transports: &[],
        requirement_types: &["sigstoreSigned"],
        code: POLICY_SIGSTORE,
    },
    Builtin {
        name: "tarball",
        transports: &["tarball"],
        requirement_types: &[],
        code: TARBALL,
    },
];
