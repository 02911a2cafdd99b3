//! Options that stand before or after any command.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::duration::parse_duration;

/// The global options as typed. The deprecated `--tls-verify` counts before the
/// command only: after it, the name is that of the command's own flag.
#[derive(Args, Debug, Default)]
pub(crate) struct GlobalArgs {
    /// Print debug messages, with what each plugin asks for and is granted
    #[arg(long, global = true)]
    pub(crate) debug: bool,

    /// Do not wait until written images are on the disk
    #[arg(long, global = true)]
    pub(crate) no_sync: bool,

    /// Timeout for the command execution (0: none)
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) command_timeout: Option<Duration>,

    /// Path to a trust policy file
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) policy: Option<OsString>,

    /// Run the tool without any policy check
    #[arg(long, global = true)]
    pub(crate) insecure_policy: bool,

    /// Also require that a signature over the whole image is verified, whatever else the policy accepts
    #[arg(long, global = true)]
    pub(crate) require_signed: bool,

    /// Use ARCH instead of the architecture of the machine for choosing images
    #[arg(long, global = true, value_name = "ARCH")]
    pub(crate) override_arch: Option<String>,

    /// Use OS instead of the running OS for choosing images
    #[arg(long, global = true, value_name = "OS")]
    pub(crate) override_os: Option<String>,

    /// Use VARIANT instead of the running architecture variant for choosing images
    #[arg(long, global = true, value_name = "VARIANT")]
    pub(crate) override_variant: Option<String>,

    /// Directory for large temporary files (default: /var/tmp)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) tmpdir: Option<OsString>,

    /// Directory with files about where signatures are kept, instead of the usual ones
    #[arg(long = "registries.d", global = true, value_name = "DIR")]
    pub(crate) registries_d: Option<OsString>,

    /// Put PREFIX before the program's name in the User-Agent that registries see
    #[arg(long, global = true, value_name = "PREFIX")]
    pub(crate) user_agent_prefix: Option<String>,

    /// Require HTTPS and verify certificates on every side (deprecated, G-14)
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    pub(crate) tls_verify: Option<bool>,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,

    /// Show help
    #[arg(long, short, global = true, display_order = 1000)]
    pub(crate) help: bool,
}

/// Plugins named on the command line.
///
/// They are declared at the top and in every command, not as clap's global
/// arguments: of those, the ones before the command are forgotten when others
/// follow it.
#[derive(Args, Debug, Default)]
pub(crate) struct PluginChoice {
    /// Load plugins from DIR too (repeatable)
    #[arg(long, value_name = "DIR")]
    pub(crate) plugin_dir: Vec<OsString>,

    /// Use the component FILE for the plugin NAME, even a built-in one (repeatable)
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) plugin: Vec<OsString>,
}

impl PluginChoice {
    /// Adds what was named further back on the command line.
    pub(crate) fn append(&mut self, later: Self) {
        self.plugin_dir.extend(later.plugin_dir);
        self.plugin.extend(later.plugin);
    }
}
