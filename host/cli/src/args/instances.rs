//! Which images of a list are meant.

use longshore_copy::Instances;
use longshore_types::{Platform, PlatformWish};

use super::UsageError;
use crate::quote::quoted;

/// `--all` and `--multi-arch` (CP-02 to CP-04).
#[derive(clap::Args, Debug, Default)]
pub(crate) struct InstanceArgs {
    /// Copy all images if SOURCE-IMAGE is a list
    #[arg(long, short)]
    all: bool,

    /// How to handle multi-architecture images (system, all, index-only, or a list such as
    /// linux/amd64,linux/arm64)
    #[arg(long, value_name = "OPTION")]
    multi_arch: Option<String>,
}

impl InstanceArgs {
    /// What both options together ask for.
    pub(crate) fn instances(&self) -> Result<Instances, UsageError> {
        match (self.all, self.multi_arch.as_deref().unwrap_or_default()) {
            (true, "") => Ok(Instances::All),
            (true, _) => Err(UsageError::new("Cannot use --all and --multi-arch flags together")),
            (false, "" | "system") => Ok(Instances::System),
            (false, "all") => Ok(Instances::All),
            (false, "index-only") => Ok(Instances::ListOnly),
            (false, platforms) => {
                let each = platforms.split(',').map(platform).collect::<Option<Vec<_>>>();
                each.map(Instances::Platforms).ok_or_else(|| {
                    UsageError::new(format!(
                        "unknown multi-arch option {}. Choose one of the supported options: 'system', 'all', \
                         'index-only', or platforms such as 'linux/amd64,linux/arm64'",
                        quoted(platforms)
                    ))
                })
            }
        }
    }
}

fn platform(text: &str) -> Option<Platform> {
    let wish: PlatformWish = text.parse().ok()?;
    let variant = wish.variant.unwrap_or_default();
    Some(Platform::new(&wish.os, &wish.architecture, &variant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let platforms = |list: &[(&str, &str, &str)]| {
            let each = list.iter().map(|(os, arch, variant)| Platform::new(os, arch, variant));
            Ok(Instances::Platforms(each.collect()))
        };
        type Row<'a> = (bool, Option<&'a str>, Result<Instances, &'a str>);
        let rows: [Row<'_>; 12] = [
            (false, None, Ok(Instances::System)),
            (false, Some("system"), Ok(Instances::System)),
            (true, None, Ok(Instances::All)),
            (false, Some("all"), Ok(Instances::All)),
            (false, Some("index-only"), Ok(Instances::ListOnly)),
            (false, Some("linux/amd64"), platforms(&[("linux", "amd64", "")])),
            (
                false,
                Some("linux/arm/v7,windows/amd64"),
                platforms(&[("linux", "arm", "v7"), ("windows", "amd64", "")]),
            ),
            (true, Some("system"), Err("Cannot use --all and --multi-arch")),
            (false, Some("most"), Err("unknown multi-arch option \"most\"")),
            (false, Some("linux/amd64,"), Err("unknown multi-arch option")),
            (false, Some("linux"), Err("unknown multi-arch option")),
            (false, Some("/amd64"), Err("unknown multi-arch option")),
        ];
        for (all, multi_arch, expected) in rows {
            let multi_arch = multi_arch.map(str::to_owned);
            let args = InstanceArgs { all, multi_arch };
            match (args.instances(), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{args:?}"),
                (Err(found), Err(expected)) => assert!(found.to_string().starts_with(expected), "{found}"),
                (found, _) => panic!("{args:?} gave {found:?}"),
            }
        }
    }
}
