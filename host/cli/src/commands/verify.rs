//! `verify`: what the trust policy makes of an image, and why, without copying it.

mod json;
mod text;

use anyhow::Context as _;
use longshore_copy::{CopyError, Endpoint, Instances};

use crate::args::{AccessArgs, Image, PlatformArgs, PluginChoice, RetryArgs, UsageError};
use crate::failure;
use crate::printer::Printer;
use crate::quote::quoted;
use crate::settings::Settings;

/// Judge IMAGE-NAME by the trust policy, and say why
#[derive(clap::Args)]
#[command(override_usage = "longshore verify [command options] IMAGE-NAME")]
#[command(
    after_help = "The exit status is 0 if a copy of the image would be allowed, 1 if not.\n\nExamples:\n  \
                  longshore verify docker://registry.example.com/some/image:v1\n  \
                  longshore --policy policy.json verify --json --all oci:images:list"
)]
pub(crate) struct VerifyArgs {
    #[arg(hide = true)]
    images: Vec<String>,

    /// Judge every image of a list, not only the one for this platform
    #[arg(long, short)]
    all: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    platform: PlatformArgs,

    #[command(flatten)]
    access: AccessArgs<Image>,

    #[command(flatten)]
    retry: RetryArgs,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Explains the verdict, and fails if it is not that the image may be used.
pub(crate) async fn run(args: VerifyArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let [image] = args.images.as_slice() else {
        return Err(UsageError::new("Exactly one argument expected").into());
    };
    let policy = settings.trust_policy().await.context("Error loading trust policy")?;
    let platform = args.platform.or(settings)?;
    let instances = if args.all { Instances::All } else { Instances::System };
    let access = args.access.resolve(&settings.fallback)?;
    let transports = settings.transports();
    let name = transports.parse_name(image).await.map_err(failure::without_operation);
    let name = name.with_context(|| format!("Error parsing image name {}", quoted(image)))?;
    let endpoint = Endpoint { name, access };
    let verify = async || Ok(policy.verify(&transports, &endpoint, &platform, &instances).await?);
    let verification = args.retry.resolve().run(printer, verify).await?;
    let printed = if args.json {
        printer.json(&json::Output::new(&verification))
    } else {
        printer.result(text::explain(&verification))
    };
    // Even if nobody reads why, scripts go by the status.
    verification.result()?;
    printed
}

/// Why not; none if nothing is against it.
fn refusal(result: Result<(), CopyError>) -> Option<String> {
    result.err().map(|error| failure::text(&error.into()))
}
