//! The flags of `copy` about compression (CP-22 to CP-28).

use std::path::PathBuf;

use longshore_blob::{Compressor, GzipLevel, LayerWish, ZstdLevel};
use longshore_copy::{CompressionOptions, Options};

use super::UsageError;
use super::conventions::parse_int;
use crate::quote::quoted;

/// What to do with the compression of layers, as typed.
#[derive(clap::Args)]
pub(crate) struct CompressionArgs {
    /// Compress tarball image layers when saving to directory using the 'dir' transport. (default is same compression
    /// type as source)
    #[arg(long)]
    dest_compress: bool,

    /// Decompress tarball image layers when saving to directory using the 'dir' transport. (default is same
    /// compression type as source)
    #[arg(long)]
    dest_decompress: bool,

    /// FORMAT (gzip or zstd) to use for the compression
    #[arg(long, value_name = "FORMAT")]
    dest_compress_format: Option<String>,

    /// LEVEL to use for the compression
    #[arg(long, value_name = "LEVEL", value_parser = parse_int)]
    dest_compress_level: Option<i64>,

    /// Use the specified compression algorithm if the destination contains a differently-compressed variant already
    #[arg(long)]
    dest_force_compress_format: bool,

    /// Allow uncompressed image layers when saving to an OCI image using the 'oci' transport. (default is to compress
    /// things that aren't compressed)
    #[arg(long)]
    dest_oci_accept_uncompressed_layers: bool,

    /// Precompute digests to prevent uploading layers already on the registry using the 'docker' transport
    #[arg(long)]
    dest_precompute_digests: bool,
}

impl CompressionArgs {
    /// Puts the flags into `options` of a copy to the transport `destination`. Large temporary files go to `folder`.
    ///
    /// Gives the warnings about flags that do nothing there.
    pub(crate) fn apply(
        &self,
        options: &mut Options,
        destination: &str,
        folder: PathBuf,
    ) -> Result<Vec<String>, UsageError> {
        let format = self.dest_compress_format.as_deref().filter(|name| !name.is_empty());
        if self.dest_force_compress_format && format.is_none() {
            return Err(UsageError::new(
                "cannot use ForceCompressionFormat with undefined default compression format",
            ));
        }
        options.layers = self.wish(destination)?;
        options.compression = CompressionOptions {
            compressor: compressor(format, self.dest_compress_level)?,
            recompress: format.is_some(),
            force: self.dest_force_compress_format,
            precompute_in: (self.dest_precompute_digests && destination == "docker").then(|| folder.clone()),
            temporary_folder: Some(folder),
        };
        Ok(self.ineffective(destination))
    }

    /// What overrules the destination's own wish.
    fn wish(&self, destination: &str) -> Result<Option<LayerWish>, UsageError> {
        match destination {
            "dir" if self.dest_compress && self.dest_decompress => {
                Err(UsageError::new("Cannot compress and decompress at the same time"))
            }
            "dir" if self.dest_compress => Ok(Some(LayerWish::Compress)),
            "dir" if self.dest_decompress => Ok(Some(LayerWish::Decompress)),
            "oci" | "oci-archive" if self.dest_oci_accept_uncompressed_layers => Ok(Some(LayerWish::Preserve)),
            _ => Ok(None),
        }
    }

    fn ineffective(&self, destination: &str) -> Vec<String> {
        let only_dir = [
            ("dest-compress", self.dest_compress),
            ("dest-decompress", self.dest_decompress),
        ];
        only_dir
            .into_iter()
            .filter(|(_, given)| *given && destination != "dir")
            .map(|(flag, _)| format!("--{flag} can only be used if the destination transport is 'dir'"))
            .collect()
    }
}

fn compressor(format: Option<&str>, level: Option<i64>) -> Result<Compressor, UsageError> {
    match format {
        None | Some("gzip") => {
            let given = GzipLevel::from_option(level.unwrap_or(-1));
            given.map(Compressor::Gzip).ok_or_else(|| {
                UsageError::new(format!(
                    "gzip: invalid compression level: {}",
                    level.unwrap_or_default()
                ))
            })
        }
        Some("zstd") => Ok(Compressor::Zstd(level.map_or_else(ZstdLevel::default, ZstdLevel::of))),
        Some(other @ ("zstd:chunked" | "bzip2" | "Xz")) => Err(UsageError::new(format!(
            "compressing with {} is not supported. Choose one of the supported formats: 'gzip' or 'zstd'",
            quoted(other)
        ))),
        Some(other) => Err(UsageError::new(format!("cannot find compressor for {}", quoted(other)))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use clap::{Args, FromArgMatches};

    use super::*;

    /// The options and the warnings that a command line leads to.
    fn applied(words: &str, destination: &str) -> Result<(Options, Vec<String>), String> {
        let command = CompressionArgs::augment_args(clap::Command::new("copy"));
        let command = super::super::conventions::follow_pflag(command);
        let words = ["copy"].into_iter().chain(words.split_whitespace());
        let matches = command.try_get_matches_from(words).expect("known flags");
        let args = CompressionArgs::from_arg_matches(&matches).expect("good values");
        let mut options = Options::default();
        let warnings = args.apply(&mut options, destination, "/big".into());
        warnings
            .map(|warnings| (options, warnings))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn wishes() {
        use LayerWish::{Compress, Decompress, Preserve};
        let only_dir = |flag: &str| format!("--{flag} can only be used if the destination transport is 'dir'");
        let rows = [
            ("", "dir", None, vec![]),
            ("--dest-compress", "dir", Some(Compress), vec![]),
            ("--dest-decompress", "dir", Some(Decompress), vec![]),
            ("--dest-compress", "oci", None, vec![only_dir("dest-compress")]),
            (
                "--dest-compress --dest-decompress",
                "docker",
                None,
                vec![only_dir("dest-compress"), only_dir("dest-decompress")],
            ),
            ("--dest-oci-accept-uncompressed-layers", "oci", Some(Preserve), vec![]),
            ("--dest-oci-accept-uncompressed-layers", "dir", None, vec![]),
            ("--dest-oci-accept-uncompressed-layers=false", "oci", None, vec![]),
        ];
        for (words, destination, wish, expected) in rows {
            let (options, warnings) = applied(words, destination).expect(words);
            assert_eq!((options.layers, warnings), (wish, expected), "{words} {destination}");
        }
    }

    #[test]
    fn compressors() {
        let gzip = |level| Compressor::Gzip(GzipLevel::new(level).expect("a level"));
        let rows = [
            ("", gzip(6), false),
            ("--dest-compress-level=9", gzip(9), false),
            ("--dest-compress-level=-1", gzip(6), false),
            ("--dest-compress-format gzip --dest-compress-level 1", gzip(1), true),
            (
                "--dest-compress-format=zstd",
                Compressor::Zstd(ZstdLevel::Default),
                true,
            ),
            (
                "--dest-compress-format=zstd --dest-compress-level=20",
                Compressor::Zstd(ZstdLevel::Best),
                true,
            ),
        ];
        for (words, compressor, recompress) in rows {
            let (options, _) = applied(words, "docker").expect(words);
            let compression = options.compression;
            assert_eq!(
                (compression.compressor, compression.recompress),
                (compressor, recompress),
                "{words}"
            );
        }
    }

    #[test]
    fn precomputing_is_for_registries() {
        for (destination, folder) in [("docker", Some(PathBuf::from("/big"))), ("oci", None)] {
            let (options, _) = applied("--dest-precompute-digests", destination).expect("good flags");
            assert_eq!(options.compression.precompute_in, folder, "{destination}");
        }
    }

    #[test]
    fn refusals() {
        let rows = [
            (
                "--dest-compress --dest-decompress",
                "Cannot compress and decompress at the same time",
            ),
            (
                "--dest-force-compress-format",
                "cannot use ForceCompressionFormat with undefined default compression format",
            ),
            (
                "--dest-compress-format=zstd:chunked",
                "compressing with \"zstd:chunked\" is not supported. Choose one of the supported formats: 'gzip' or \
                 'zstd'",
            ),
            ("--dest-compress-format=lzma", "cannot find compressor for \"lzma\""),
            ("--dest-compress-level=10", "gzip: invalid compression level: 10"),
        ];
        for (words, expected) in rows {
            assert_eq!(applied(words, "dir").err().as_deref(), Some(expected), "{words}");
        }
    }
}
