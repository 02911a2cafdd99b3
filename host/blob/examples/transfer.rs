//! Measures one file-to-file transfer: `transfer SOURCE TARGET [nosync] [compress|decompress] [chunk=BYTES]`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]
use longshore_blob::*;
use std::fs::File;
use std::time::Instant;
struct Small(FileSource, bytes::Bytes, usize);
impl ChunkSource for Small {
    fn next_chunk(&mut self) -> std::io::Result<Option<bytes::Bytes>> {
        if self.1.is_empty() {
            match self.0.next_chunk()? {
                Some(c) => self.1 = c,
                None => return Ok(None),
            }
        }
        let n = self.2.min(self.1.len());
        Ok(Some(self.1.split_to(n)))
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |w: &str| args.iter().any(|a| a == w);
    let durability = if has("nosync") {
        Durability::NoSync
    } else {
        Durability::Sync
    };
    let wish = if has("compress") {
        LayerWish::Compress
    } else if has("decompress") {
        LayerWish::Decompress
    } else {
        LayerWish::Preserve
    };
    let started = Instant::now();
    let source = File::open(&args[1]).unwrap();
    let size = source.metadata().unwrap().len();
    let source = FileSource::new(source, 0, size);
    let small = args
        .iter()
        .find_map(|a| a.strip_prefix("chunk="))
        .map(|s| s.parse().unwrap());
    let source: Box<dyn ChunkSource> = match small {
        Some(n) => Box::new(Small(source, bytes::Bytes::new(), n)),
        None => Box::new(source),
    };
    let mut sink = FileSink::new(File::create(&args[2]).unwrap(), 0, None, durability);
    let plan = TransferPlan {
        expected_size: Some(size),
        wish,
        ..TransferPlan::default()
    };
    let done = transfer(source, &mut sink, &plan, &()).unwrap();
    let wall = started.elapsed();
    println!("{wall:?} {} {}", done.digest, done.size);
}
