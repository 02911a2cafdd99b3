//! `delete`: removes an image.

use anyhow::Context as _;
use longshore_copy::Endpoint;

use crate::args::{AccessArgs, Image, PluginChoice, RetryArgs, UsageError};
use crate::failure;
use crate::printer::Printer;
use crate::settings::Settings;

/// Delete image IMAGE-NAME
#[derive(clap::Args)]
#[command(override_usage = "longshore delete [command options] IMAGE-NAME")]
#[command(after_help = "Example:\n  longshore delete docker://registry.example.com/example/pause:latest")]
pub(crate) struct DeleteArgs {
    #[arg(hide = true)]
    images: Vec<String>,

    #[command(flatten)]
    access: AccessArgs<Image>,

    #[command(flatten)]
    retry: RetryArgs,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Removes one image and prints nothing (DL-01 to DL-08).
pub(crate) async fn run(args: DeleteArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let [image] = args.images.as_slice() else {
        return Err(UsageError::new("Usage: delete imageReference").into());
    };
    let transports = settings.transports();
    let name = transports
        .parse_name(image)
        .await
        .with_context(|| format!("Invalid source name {image}"))?;
    let access = args.access.resolve(&settings.fallback)?;
    let image = Endpoint { name, access };
    let delete = async || transports.delete(&image).await.map_err(failure::without_operation);
    args.retry.resolve().run(printer, delete).await
}
