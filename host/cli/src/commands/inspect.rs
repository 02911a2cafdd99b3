//! `inspect`: what an image is, without copying it.

mod output;
mod schema_one;
mod template;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, bail};
use longshore_copy::{Endpoint, ImageSource, RepositoryTags, read_config, read_manifest, select_instance};
use longshore_types::{Algorithm, ImageConfig, ImageManifest, Kind, Reference, media_type};

use self::output::Output;
use self::template::Subject;
use crate::args::{AccessArgs, Image, PlatformArgs, PluginChoice, RetryArgs, UsageError};
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

    /// Format the output with a Go template, or `json`
    #[arg(long, short, value_name = "TEMPLATE")]
    format: Option<String>,

    /// Do not list the available tags from the repository in the output
    #[arg(long, short = 'n')]
    no_tags: bool,

    /// Algorithm of the manifest's digest: sha256, sha384 or sha512 (default: that of the config's digest)
    #[arg(long, value_name = "ALGORITHM")]
    manifest_digest: Option<String>,

    #[command(flatten)]
    platform: PlatformArgs,

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
    let format = args.format.filter(|format| !template::is_json(format));
    if args.raw && format.is_some() {
        return Err(UsageError::new("raw output does not support format option").into());
    }
    let algorithm = args.manifest_digest.as_deref().filter(|name| !name.is_empty());
    let algorithm = algorithm.map(digest_algorithm).transpose()?;
    let platform = args.platform.or(settings)?;
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

    let selected = select_instance(source, manifest, &platform).await?;
    let shown = Shown {
        printer,
        format: format.as_deref(),
    };
    if selected.manifest.is_schema_one() {
        let wish = schema_one::Wish {
            raw: args.raw,
            config: args.config,
            no_tags: args.no_tags,
            algorithm: algorithm.unwrap_or(Algorithm::Sha256),
        };
        return schema_one::run(&wish, source, &selected, &shown).await;
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
        return shown.config(&config).context(doing);
    }
    let tags = async {
        if args.no_tags {
            return Ok(Vec::new());
        }
        repository_tags(source, printer).await
    };
    let (config, tags) = tokio::try_join!(image_config(source, &parsed), tags)?;
    let name = source.identity().docker_reference.as_ref().map(Reference::name);
    let algorithm = algorithm.unwrap_or_else(|| parsed.config.digest.algorithm());
    let digest = selected.top.digest(algorithm);
    shown.image(&Output::new(name, digest, tags, &parsed, &config))
}

/// Reads `--manifest-digest` (IN-06).
fn digest_algorithm(name: &str) -> Result<Algorithm, UsageError> {
    let parsed = name.parse();
    parsed.map_err(|_| UsageError::new(format!("unsupported digest algorithm {}", quoted(name))))
}

/// How the result is printed: as JSON, or through a template.
struct Shown<'a> {
    printer: &'a Printer,
    format: Option<&'a str>,
}

impl Shown<'_> {
    fn image(&self, output: &Output<'_>) -> anyhow::Result<()> {
        match self.format {
            Some(format) => {
                let image = output.for_templates().context("Error executing the format")?;
                self.printer.result(template::render(format, &image, Subject::Image)?)
            }
            None => self.printer.json(output),
        }
    }

    /// A config in OCI's form.
    fn config(&self, config: &ImageConfig) -> anyhow::Result<()> {
        let text = config.to_oci_pretty()?;
        match self.format {
            Some(format) => {
                let config = serde_json::from_str(&text)?;
                self.printer.result(template::render(format, &config, Subject::Config)?)
            }
            None => self.printer.result(text + "\n"),
        }
    }
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
