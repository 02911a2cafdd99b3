//! The platform of one command.

use longshore_types::PlatformWish;

use super::UsageError;
use crate::settings::Settings;

/// `--platform`, which says in one what the three global `--override` options say.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct PlatformArgs {
    /// Choose images of lists for OS/ARCH or OS/ARCH/VARIANT
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
}

impl PlatformArgs {
    /// The platform that was named, or the one of all commands.
    pub(crate) fn or(&self, settings: &Settings) -> Result<PlatformWish, UsageError> {
        match self.platform.as_deref() {
            None | Some("") => Ok(settings.platform.clone()),
            Some(_) if settings.platform_is_overridden => Err(UsageError::new(
                "--platform cannot be used together with --override-os, --override-arch or --override-variant",
            )),
            Some(text) => text
                .parse()
                .map_err(|error: longshore_types::PlatformError| UsageError::new(error.to_string())),
        }
    }
}
