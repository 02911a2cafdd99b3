//! `layers`: blobs of an image in a folder of their own.

use anyhow::Context as _;
use longshore_copy::{Endpoint, Purpose, fetch_blobs, read_manifest, select_instance};
use longshore_types::{Digest, ImageName};

use crate::args::{self, AccessArgs, Image, PluginChoice, RetryArgs, UsageError};
use crate::failure;
use crate::printer::Printer;
use crate::settings::Settings;

/// The transport whose form the folder has.
const FORM: &str = "dir";

/// Get layers of IMAGE-NAME
#[derive(clap::Args)]
#[command(override_usage = "longshore layers [command options] IMAGE-NAME [LAYER...]")]
pub(crate) struct LayersArgs {
    #[arg(hide = true)]
    words: Vec<String>,

    #[command(flatten)]
    access: AccessArgs<Image>,

    #[command(flatten)]
    retry: RetryArgs,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Makes a folder `layers-…` in the working directory (LY-01).
pub(crate) async fn run(args: LayersArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let program = args::program();
    printer.explain(&format!(
        "DEPRECATED: {program} layers is deprecated in favor of {program} copy\n"
    ));
    let [image, digests @ ..] = args.words.as_slice() else {
        return Err(UsageError::new("Usage: layers imageReference [layer...]").into());
    };
    let wanted = digests.iter().map(|digest| {
        let parsed = Digest::parse(digest);
        parsed.with_context(|| format!("layer {digest}"))
    });
    let wanted: Vec<Digest> = wanted.collect::<anyhow::Result<_>>()?;

    let transports = settings.transports();
    let name = transports
        .parse_name(image)
        .await
        .with_context(|| format!("Invalid source name {image}"))?;
    let access = args.access.resolve(&settings.fallback)?;
    let image = Endpoint { name, access };
    let open = async || {
        let source = transports.open_source(&image).await?;
        let manifest = read_manifest(source.as_ref()).await?;
        select_instance(source.as_ref(), manifest, &settings.platform)
            .await
            .map(|selected| (source, selected))
    };
    let (source, selected) = args
        .retry
        .resolve()
        .run(printer, async || open().await.map_err(failure::without_operation))
        .await?;

    // The name is taken before anything is fetched; what is there is replaced as a whole in the end.
    let folder = tempfile::Builder::new()
        .prefix("layers-")
        .tempdir_in(".")
        .context("making a folder for the layers in the working directory")?;
    let reference = folder.path().to_string_lossy();
    let place = Endpoint {
        name: ImageName::parse(&format!("{FORM}:{reference}"), [FORM])?,
        access: Default::default(),
    };
    let place = transports.locate(&place, Purpose::Destination).await?;
    fetch_blobs(source.as_ref(), &selected, &wanted, place).await?;
    // From now on the folder is the user's.
    let _ = folder.keep();
    Ok(())
}
