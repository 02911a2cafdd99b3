//! Copies an image with plugins of its own: `copy PLUGIN-FOLDER SOURCE DESTINATION`. Ctrl-C ends it in good order.
#![allow(clippy::print_stderr, reason = "the program prints; the library does not")]

use std::error::Error;
use std::sync::Arc;

use longshore_config::Environment;
use longshore_copy::{Access, Copier, Endpoint, Event, SignaturePolicy, Transports};
use longshore_runtime::PluginHost;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, source, destination] = words.as_slice() else {
        return Err("usage: copy PLUGIN-FOLDER SOURCE DESTINATION".into());
    };
    let plugins = PluginHost::builder().plugin_directory(folder).build();
    let transports = Transports::standard(plugins.clone(), Arc::new(Environment::of_process()));
    let mut ends = Vec::new();
    for text in [source, destination] {
        let name = transports.parse_name(text).await?;
        let access = Access::default();
        ends.push(Endpoint { name, access });
    }
    let policy = SignaturePolicy::accept_anything(plugins);
    let (Some(to), Some(from)) = (ends.pop(), ends.pop()) else {
        return Ok(());
    };
    let (copying, mut events) = Copier::new(transports, from, to, policy).start();
    let cancel = copying.cancel_handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let watching = async {
        let mut moved = 0;
        while let Some(event) = events.next().await {
            moved += u64::from(matches!(event, Event::BlobDone { .. }));
        }
        moved
    };
    let (report, moved) = tokio::join!(copying, watching);
    let report = report?;
    eprintln!("{moved} blobs moved, {} reused", report.blobs_reused);
    Ok(())
}
