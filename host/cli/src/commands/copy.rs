//! `copy`: moves one image, or the images of a list, from one place to another.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use longshore_copy::{Access, Copier, CopyError, Copying, DEFAULT_PARALLEL, Endpoint, Options};
use longshore_types::{ImageFormat, ImageName, Reference};

use crate::args::{
    AccessArgs, CompressionArgs, Destination, InstanceArgs, PlatformArgs, PluginChoice, RetryArgs, SigningArgs, Source,
    UsageError, parse_uint,
};
use crate::printer::{Level, Printer, Report};
use crate::progress::{Progress, Style};
use crate::quote::quoted;
use crate::settings::{Fallback, Settings};
use crate::signals::{Signals, Stopped};

/// Copy an IMAGE-NAME from one location to another
#[derive(clap::Args)]
#[command(override_usage = "longshore copy [command options] SOURCE-IMAGE DESTINATION-IMAGE")]
#[command(after_help = "Example:\n  longshore copy docker://quay.io/skopeo/stable:latest \
                        docker://registry.example.com/skopeo:latest")]
pub(crate) struct CopyArgs {
    #[arg(hide = true)]
    images: Vec<String>,

    /// Additional tags (supports docker-archive)
    #[arg(long, value_name = "NAME:TAG", value_delimiter = ',')]
    additional_tag: Vec<String>,

    /// Path of the registry credentials file for both sides
    #[arg(long, value_name = "PATH")]
    authfile: Option<OsString>,

    /// Write the digest of the pushed image to the specified file
    #[arg(long, value_name = "PATH")]
    digestfile: Option<OsString>,

    /// MANIFEST TYPE (oci, v2s1, or v2s2) to use in the destination (default is manifest type of source,
    /// with fallbacks)
    #[arg(long, short, value_name = "MANIFEST TYPE")]
    format: Option<String>,

    /// Maximum number of image layers to be copied at a time (default 6)
    #[arg(long, value_name = "N", value_parser = parse_uint)]
    image_parallel_copies: Option<usize>,

    /// Fail rather than change a digest
    #[arg(long)]
    preserve_digests: bool,

    /// Suppress output information when copying images
    #[arg(long, short)]
    quiet: bool,

    /// Do not copy signatures from SOURCE-IMAGE
    #[arg(long)]
    remove_signatures: bool,

    /// Require HTTPS and verify certificates on both sides (deprecated, F-14)
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    pub(crate) tls_verify: Option<bool>,

    /// How to show progress on standard error: bars on a terminal, or a JSON object on each line
    #[arg(
        long,
        value_enum,
        value_name = "STYLE",
        default_value = "auto",
        hide_default_value = true
    )]
    progress: Style,

    #[command(flatten)]
    instances: InstanceArgs,

    #[command(flatten)]
    platform: PlatformArgs,

    #[command(flatten)]
    pub(crate) source: AccessArgs<Source>,

    #[command(flatten)]
    pub(crate) destination: AccessArgs<Destination>,

    #[command(flatten)]
    signing: SigningArgs,

    #[command(flatten)]
    compression: CompressionArgs,

    #[command(flatten)]
    retry: RetryArgs,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// A copy that only has to be started.
struct Prepared {
    copier: Copier,
    report: Report,
    digestfile: Option<PathBuf>,
}

/// Copies an image or a list; a signal ends the copy in good order.
pub(crate) async fn run(
    args: CopyArgs,
    settings: &Settings,
    signals: &mut Signals,
    printer: &Printer,
) -> anyhow::Result<()> {
    let retry = args.retry.resolve();
    let style = args.progress;
    let prepared = signals.unless_stopped(prepare(args, settings, printer)).await?;
    let mut retries = 0;
    let done = loop {
        let (copying, events) = prepared.copier.clone().start();
        let following = Progress::new(printer, prepared.report, style).follow(events);
        let (done, had_bars) = tokio::join!(until_stopped(copying, signals, printer), following);
        let error = match done {
            Ok(done) => {
                Progress::finished(printer, style, had_bars, &done);
                break done;
            }
            Err(error) if error.is::<Stopped>() => return Err(error),
            Err(error) => error,
        };
        let Some(delay) = retry.delay_after(retries, &error, printer) else {
            return Err(error);
        };
        let waiting = tokio::time::sleep(delay);
        tokio::select! {
            () = waiting => retries += 1,
            stopped = signals.next() => return Err(stopped.into()),
        }
    };
    match prepared.digestfile {
        Some(path) => write_digest(&path, &done.manifest_digest.to_string()),
        None => Ok(()),
    }
}

/// Checks the command line and loads the policy, which comes first (PO-07).
async fn prepare(args: CopyArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<Prepared> {
    let [source, destination] = args.images.as_slice() else {
        return Err(UsageError::with_help_of("copy", "Exactly two arguments expected").into());
    };
    let instances = args.instances.instances()?;
    if args.tls_verify.is_some() {
        printer.message(
            Level::Warning,
            "'--tls-verify' is deprecated, instead use: --src-tls-verify, --dest-tls-verify",
        );
    }
    let policy = settings.trust_policy().await.context("Error loading trust policy")?;
    let transports = settings.transports();
    let source_name = transports.parse_name(source).await;
    let source_name = source_name.with_context(|| format!("Invalid source name {source}"))?;
    let destination_name = transports.parse_name(destination).await;
    let destination_name = destination_name.with_context(|| format!("Invalid destination name {destination}"))?;
    let both = Fallback {
        authfile: args.authfile,
        tls_verify: args.tls_verify.or(settings.fallback.tls_verify),
        ..settings.fallback.clone()
    };
    let report = report_of(&destination_name, args.quiet);
    let source = Endpoint {
        name: source_name,
        access: args.source.resolve(&both)?,
    };
    let destination = Endpoint {
        name: destination_name,
        access: Access {
            additional_tags: args
                .additional_tag
                .iter()
                .map(additional_tag)
                .collect::<Result<_, _>>()?,
            ..args.destination.resolve(&both)?
        },
    };
    let parallel = args.image_parallel_copies.and_then(NonZeroUsize::new);
    let mut options = Options {
        platform: args.platform.or(settings)?,
        instances,
        format: args.format.as_deref().map(parse_format).transpose()?,
        remove_signatures: args.remove_signatures,
        preserve_digests: args.preserve_digests,
        parallel: parallel.unwrap_or(DEFAULT_PARALLEL),
        ..Options::default()
    };
    args.signing.apply(&mut options, printer).await?;
    let folder = settings.large_temporary_folder();
    let warnings = args
        .compression
        .apply(&mut options, &destination.name.transport, folder)?;
    for warning in warnings {
        printer.message(Level::Warning, warning);
    }
    let copier = Copier::new(transports, source, destination, policy).options(options);
    Ok(Prepared {
        copier: copier.blob_info_cache(settings.blob_info_cache()),
        report,
        digestfile: args.digestfile.filter(|path| !path.is_empty()).map(PathBuf::from),
    })
}

/// Awaits the copy. The first signal cancels it and waits for it to clean up,
/// a second one leaves at once.
async fn until_stopped(
    mut copying: Copying,
    signals: &mut Signals,
    printer: &Printer,
) -> anyhow::Result<longshore_copy::CopyReport> {
    let stopped = tokio::select! {
        done = &mut copying => return Ok(done?),
        stopped = signals.next() => stopped,
    };
    printer.message(Level::Warning, format!("{stopped}, removing what is unfinished"));
    copying.cancel_handle().cancel();
    tokio::select! {
        ended = copying => match ended {
            // It was whole before it noticed.
            Ok(report) => Ok(report),
            Err(CopyError::Interrupted) => Err(stopped.into()),
            Err(error) => Err(anyhow::Error::new(error).context(stopped)),
        },
        again = signals.next() => Err(again.into()),
    }
}

/// Reads `--additional-tag` (CP-01).
fn additional_tag(text: &String) -> Result<Reference, UsageError> {
    let name = Reference::parse_normalized(text)
        .map_err(|error| UsageError::new(format!("error parsing additional-tag '{text}': {error}")))?;
    if name.tag().is_some() && name.digest().is_none() {
        return Ok(name);
    }
    Err(UsageError::new(format!(
        "additional-tag '{text}' must be a tagged reference"
    )))
}

/// Reads `--format` (CP-09).
fn parse_format(text: &str) -> Result<ImageFormat, UsageError> {
    match text {
        "oci" => Ok(ImageFormat::Oci),
        "v2s1" => Ok(ImageFormat::SchemaOne),
        "v2s2" => Ok(ImageFormat::Docker),
        _ => Err(UsageError::new(format!(
            "unknown format {}. Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'",
            quoted(text)
        ))),
    }
}

/// Where the report goes: standard output as skopeo's, unless the image itself
/// goes there (CO-10).
fn report_of(destination: &ImageName, quiet: bool) -> Report {
    if quiet {
        return Report::Nowhere;
    }
    // A directory may be called `-`.
    let dash = (!["dir", "oci"].contains(&destination.transport.as_str())).then_some("-");
    let is_stdout = |path: &str| {
        ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
            .into_iter()
            .chain(dash)
            .filter_map(|stdout| path.strip_prefix(stdout))
            .any(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    if destination.transport != "docker" && is_stdout(&destination.reference) {
        return Report::Stderr;
    }
    Report::Stdout
}

/// Writes `--digestfile`: the digest without a newline (CP-08).
fn write_digest(path: &Path, digest: &str) -> anyhow::Result<()> {
    std::fs::write(path, digest)
        .with_context(|| format!("Failed to write digest to file {}", quoted(&path.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn formats() {
        let rows = [
            ("oci", Ok(ImageFormat::Oci)),
            ("v2s1", Ok(ImageFormat::SchemaOne)),
            ("v2s2", Ok(ImageFormat::Docker)),
            (
                "",
                Err("unknown format \"\". Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'"),
            ),
            (
                "OCI",
                Err("unknown format \"OCI\". Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'"),
            ),
        ];
        for (text, expected) in rows {
            let found = parse_format(text).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn the_report_gives_way_to_an_image_on_stdout() {
        let known = ["dir", "docker", "docker-archive"];
        for (destination, quiet, expected) in [
            ("dir:/tmp/x", false, Report::Stdout),
            ("dir:/dev/stdout", false, Report::Stderr),
            ("docker-archive:/dev/stdout:a/b:c", false, Report::Stderr),
            ("docker-archive:/dev/fd/1", false, Report::Stderr),
            ("docker-archive:-", false, Report::Stderr),
            ("docker-archive:-:a/b:c", false, Report::Stderr),
            ("docker-archive:-a", false, Report::Stdout),
            ("dir:-", false, Report::Stdout),
            ("dir:/proc/self/fd/1", false, Report::Stderr),
            ("dir:/dev/stdout2", false, Report::Stdout),
            ("dir:/dev/fd/10", false, Report::Stdout),
            ("docker:/dev/stdout", false, Report::Stdout),
            ("dir:/dev/stdout", true, Report::Nowhere),
        ] {
            let name = ImageName::parse(destination, known).expect("a name");
            assert_eq!(report_of(&name, quiet), expected, "{destination}");
        }
    }
}
