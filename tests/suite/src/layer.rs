//! Layers: small tar files whose bytes follow from a seed.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::write::GzEncoder;

/// How a layer lies in its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// An uncompressed tar.
    Plain,
    /// A gzip member around the tar.
    Gzip,
    /// A zstd frame around the tar.
    Zstd,
}

/// A layer to make: one folder with a text file, a symbolic link, a hard link and a data file.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    seed: u64,
    size: usize,
    packing: Packing,
}

impl Layer {
    /// A gzip layer whose data file holds `size` bytes that follow from `seed`; half of them
    /// compress well, half do not at all.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        Self {
            seed,
            size,
            packing: Packing::Gzip,
        }
    }

    /// The same layer, packed in another way.
    #[must_use]
    pub fn packed(self, packing: Packing) -> Self {
        Self { packing, ..self }
    }

    /// How the layer is packed.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The layer's tar file.
    ///
    /// # Errors
    /// Only what writing to memory can give.
    pub fn tar(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        let folder = format!("layer-{}", self.seed);
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        archive.append_data(&mut header, format!("{folder}/"), io::empty())?;
        let text = format!("layer {} of {} bytes\n", self.seed, self.size);
        let mut header = header_of_file(text.len());
        archive.append_data(&mut header, format!("{folder}/about.txt"), text.as_bytes())?;
        let mut header = self::header(tar::EntryType::Symlink, 0o777, 0);
        archive.append_link(&mut header, format!("{folder}/link"), "about.txt")?;
        let mut header = self::header(tar::EntryType::Link, 0o644, 0);
        archive.append_link(&mut header, format!("{folder}/same"), format!("{folder}/about.txt"))?;
        let data = data(self.seed, self.size);
        let mut header = header_of_file(data.len());
        archive.append_data(&mut header, format!("{folder}/data"), data.as_slice())?;
        archive.into_inner()
    }

    /// The layer as it lies in an image, packed.
    ///
    /// # Errors
    /// Only what writing to memory can give.
    pub fn blob(&self) -> io::Result<Bytes> {
        let tar = self.tar()?;
        let packed = match self.packing {
            Packing::Plain => tar,
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(&tar)?;
                encoder.finish()?
            }
            Packing::Zstd => zstd::encode_all(tar.as_slice(), 3)?,
        };
        Ok(Bytes::from(packed))
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn header_of_file(size: usize) -> tar::Header {
    header(tar::EntryType::Regular, 0o644, size as u64)
}

/// Bytes by the splitmix64 generator, every other 4 KiB block replaced by one repeated line.
fn data(seed: u64, size: usize) -> Vec<u8> {
    const BLOCK: usize = 4096;
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        if (bytes.len() / BLOCK) % 2 == 1 {
            let line = format!("line of layer {seed:>17}\n");
            bytes.extend(line.bytes().cycle().take(BLOCK));
        } else {
            for _ in 0..BLOCK / 8 {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                bytes.extend((mixed ^ (mixed >> 31)).to_le_bytes());
            }
        }
    }
    bytes.truncate(size);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

    use super::*;

    #[test]
    fn a_layer_follows_from_its_seed_and_size() {
        let layer = Layer::new(1, 10_000);
        assert_eq!(layer.blob().unwrap(), layer.blob().unwrap());
        assert_ne!(layer.blob().unwrap(), Layer::new(2, 10_000).blob().unwrap());
        assert_eq!(data(1, 10_000).len(), 10_000);
    }

    #[test]
    fn a_packed_layer_unpacks_to_its_tar() {
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            let layer = Layer::new(3, 70_000).packed(packing);
            let blob = layer.blob().unwrap();
            assert_eq!(
                crate::check::unpack(&blob).unwrap(),
                layer.tar().unwrap(),
                "{packing:?}"
            );
        }
    }
}
