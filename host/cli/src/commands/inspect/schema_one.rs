//! Images in Docker's schema 1, which have no config: what others keep there is part of the manifest's history.

use anyhow::Context as _;
use longshore_copy::{ImageSource, SelectedImage};
use longshore_types::{Algorithm, ImageConfig, ManifestError, Reference, SchemaOne};

use super::output::Output;
use super::{Shown, repository_tags};

/// What of an image is asked for.
pub(super) struct Wish {
    /// The config, as it is.
    pub(super) raw: bool,
    /// The config, in OCI's form.
    pub(super) config: bool,
    /// Everything but the tags beside the image.
    pub(super) no_tags: bool,
    /// Of the digest that is shown.
    pub(super) algorithm: Algorithm,
}

/// Prints one of the views that need more than the bare manifest.
pub(super) async fn run(
    wish: &Wish,
    source: &dyn ImageSource,
    selected: &SelectedImage,
    shown: &Shown<'_>,
) -> anyhow::Result<()> {
    let read = || -> Result<(SchemaOne, Vec<u8>), ManifestError> {
        let image = selected.manifest.parse_schema_one()?;
        let config = image.config(None)?;
        Ok((image, config))
    };
    let (image, config) = read().context("Error parsing manifest for image")?;
    if wish.raw {
        // There is none to print, and skopeo does not mind either.
        return shown.printer.result("");
    }
    let config = ImageConfig::parse(config)?;
    if wish.config {
        return shown.config(&config);
    }
    let tags = if wish.no_tags {
        Vec::new()
    } else {
        repository_tags(source, shown.printer).await?
    };
    let name = source.identity().docker_reference.as_ref().map(Reference::name);
    let digest = selected.top.digest(wish.algorithm);
    shown.image(&Output::of_schema_one(name, digest, tags, &image, &config))
}
