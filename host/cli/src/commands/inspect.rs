//! `inspect`: what an image is, without copying it.

mod output;
mod schema_one;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, bail};
use longshore_copy::{Endpoint, ImageSource, RepositoryTags, read_config, read_manifest, select_instance};
use longshore_types::{Algorithm, ImageConfig, ImageManifest, Kind, Reference, media_type};

use self::output::Output;
use crate::args::{AccessArgs, Image, PluginChoice, RetryArgs, UsageError};
use crate::failure;
use crate::printer::{Level, Printer};
use crate::quote::quoted;
use crate::settings::Settings;

/// Inspect image IMAGE-NAME
#[derive(clap::Args)]
#[command(override_usage = "longshore inspect [command options] IMAGE-NAME")]
#[command(
    after_help = "Examples:\n  longshore inspect docker://registry.fedoraproject.org/fedora\n  \
                        longshore inspect --config docker://docker.io/alpine"
)]
pub(crate) struct InspectArgs {
    #[arg(hide = true)]
    images: Vec<String>,

    /// Output raw manifest or configuration
    #[arg(long)]
    raw: bool,

    /// Output configuration
    #[arg(long)]
    config: bool,

    /// Do not list the available tags from the repository in the output
    #[arg(long, short = 'n')]
    no_tags: bool,

    #[command(flatten)]
    access: AccessArgs<Image>,

    #[command(flatten)]
    retry: RetryArgs,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Prints one of the four views of an image.
pub(crate) async fn run(args: InspectArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let [image] = args.images.as_slice() else {
        return Err(UsageError::new("Exactly one argument expected").into());
    };
    let access = args.access.resolve(&settings.fallback)?;
    let transports = settings.transports();
    let open = async || {
        let opening = async {
            let name = transports.parse_name(image).await?;
            let access = access.clone();
            transports.open_source(&Endpoint { name, access }).await
        };
        let source = opening
            .await
            .map_err(failure::without_operation)
            .with_context(|| format!("Error parsing image name {}", quoted(image)))?;
        let manifest = read_manifest(source.as_ref())
            .await
            .map_err(failure::without_operation)
            .context("Error retrieving manifest for image")?;
        Ok((source, manifest))
    };
    let (source, manifest) = args.retry.resolve().run(printer, open).await?;
    let source = source.as_ref();
    if args.raw && !args.config {
        return printer.result(manifest.bytes());
    }

    let selected = select_instance(source, manifest, &settings.platform).await?;
    if selected.manifest.is_schema_one() {
        let wish = schema_one::Wish {
            raw: args.raw,
            config: args.config,
            no_tags: args.no_tags,
        };
        return schema_one::run(&wish, source, &selected, printer).await;
    }
    let parsed = selected
        .parse(&source.identity().display())
        .context("Error parsing manifest for image")?;
    if args.raw {
        let bytes = read_config(source, &parsed)
            .await
            .context("Error reading configuration blob")?;
        return printer.result(bytes);
    }
    if args.config {
        let doing = "Error reading OCI-formatted configuration data";
        let config = image_config(source, &parsed).await.context(doing)?;
        return printer.result(config.to_oci_pretty()? + "\n");
    }
    let config = image_config(source, &parsed).await?;
    let tags = if args.no_tags {
        Vec::new()
    } else {
        repository_tags(source, printer).await?
    };
    let name = source.identity().docker_reference.as_ref().map(Reference::name);
    let digest = selected.top.digest(Algorithm::Sha256);
    printer.json(&Output::new(name, digest, tags, &parsed, &config))
}

/// The parsed config of an image; an artifact has none (IB-05).
async fn image_config(source: &dyn ImageSource, image: &ImageManifest) -> anyhow::Result<ImageConfig> {
    let kind = &image.config.media_type;
    if image.kind == Kind::Oci && kind != media_type::OCI_CONFIG {
        let artifact = image.artifact_type.as_ref().unwrap_or(kind);
        bail!(
            "unsupported image-specific operation on artifact with type {}",
            quoted(artifact)
        );
    }
    Ok(ImageConfig::parse(read_config(source, image).await?)?)
}

/// The tags beside the image; none if the registry lets nobody list them (IB-02).
async fn repository_tags(source: &dyn ImageSource, printer: &Printer) -> anyhow::Result<Vec<String>> {
    let tags = source
        .repository_tags()
        .await
        .context("Error determining repository tags")?;
    Ok(match tags {
        Some(RepositoryTags::Listed(tags)) => tags,
        Some(RepositoryTags::Refused) => {
            printer.message(Level::Warning, "Registry disallows tag list retrieval; skipping");
            Vec::new()
        }
        None => Vec::new(),
    })
}
