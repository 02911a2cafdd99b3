//! One blob on its way to a plugin.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use longshore_blob::ChunkSink;
use longshore_types::Digest;
use wasmtime::component::ResourceAny;

use super::guest;
use crate::host::bytes::{ChannelSource, Reader};
use crate::instance::Instance;
use crate::{Error, Plugin};

/// Pieces on their way to a guest that consumes a blob.
const PIECES_UNDER_WAY: usize = 2;

/// The guest's end of a blob on its way in.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) plugin: Arc<Plugin>,
    pub(super) instance: Arc<Instance>,
    pub(super) writer: ResourceAny,
}

/// A blob on its way in. Dropped before [`PendingBlob::finish`], it never existed.
pub struct PendingBlob {
    pub(super) sink: Option<Box<dyn ChunkSink>>,
    pub(super) pending: Option<Pending>,
}

impl PendingBlob {
    /// Where the bytes go; can be taken once. It must be finished and dropped
    /// before [`PendingBlob::finish`].
    pub fn take_sink(&mut self) -> Option<Box<dyn ChunkSink>> {
        self.sink.take()
    }

    /// All bytes are in place; digest and size are what the host computed.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does.
    pub async fn finish(mut self, digest: &Digest, size: u64) -> Result<(), Error> {
        const OPERATION: &str = "blob-writer.finish";
        drop(self.sink.take());
        let Some(Pending {
            plugin,
            instance,
            writer,
        }) = self.pending.take()
        else {
            return Ok(());
        };
        let digest = digest.to_string();
        instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, instance| {
                        let guest = guest(&plugin, &mut *store, instance)?;
                        guest
                            .blob_writer()
                            .call_finish(&mut *store, writer, &digest, size)
                            .await
                    })
                    .await?
                    .map_err(|error| live.refused(OPERATION, error))
                })
            })
            .await
    }
}

impl Drop for PendingBlob {
    fn drop(&mut self) {
        drop(self.sink.take());
        if let Some(Pending { instance, writer, .. }) = self.pending.take() {
            instance.release("blob-writer drop", writer);
        }
    }
}

/// A blob that the guest reads itself, from the moment that its first chunk comes.
pub(super) enum Consumed {
    Waiting(Pending),
    Running {
        sender: Sender<std::io::Result<Bytes>>,
        complete: Arc<AtomicBool>,
        result: Receiver<Result<(), Error>>,
    },
    Done,
}

impl Consumed {
    fn start(&mut self) {
        if let Self::Waiting(pending) = self {
            *self = consume(pending.clone());
        }
    }
}

impl ChunkSink for Consumed {
    fn write_chunk(&mut self, chunk: Bytes) -> std::io::Result<()> {
        self.start();
        let Self::Running { sender, result, .. } = self else {
            return Err(std::io::Error::other("the stream failed before"));
        };
        // A guest that returned early dropped the other end.
        if sender.send(Ok(chunk)).is_ok() {
            return Ok(());
        }
        Err(match result.recv() {
            Ok(Err(error)) => std::io::Error::other(error),
            _ => std::io::Error::other("the plugin stopped reading a blob before its end"),
        })
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.start();
        let Self::Running {
            sender,
            complete,
            result,
        } = std::mem::replace(self, Self::Done)
        else {
            return Err(std::io::Error::other("the stream failed before"));
        };
        complete.store(true, Ordering::Release);
        drop(sender);
        match result.recv() {
            Ok(result) => result.map_err(std::io::Error::other),
            Err(_) => Err(std::io::Error::other("the plugin is gone")),
        }
    }
}

fn consume(pending: Pending) -> Consumed {
    const OPERATION: &str = "blob-writer.consume";
    let (sender, receiver) = crossbeam_channel::bounded(PIECES_UNDER_WAY);
    let (answer, result) = crossbeam_channel::bounded(1);
    let complete = Arc::new(AtomicBool::new(false));
    let Pending {
        plugin,
        instance,
        writer,
    } = pending;
    let control = Arc::clone(instance.control());
    let source = ChannelSource::new(receiver, Arc::clone(&complete), move || control.is_cancelled());
    instance.send(move |live| {
        Box::pin(async move {
            let reader = Reader::new(Box::new(source));
            let lent = reader.shared();
            let consumed = live
                .guest(OPERATION, async |store, instance| {
                    let guest = guest(&plugin, &mut *store, instance)?;
                    let reader = store.data_mut().push(reader)?;
                    guest.blob_writer().call_consume(&mut *store, writer, reader).await
                })
                .await;
            lent.revoke();
            let result = match consumed {
                Err(error) => Err(error),
                Ok(Err(error)) => Err(live.refused(OPERATION, error)),
                Ok(Ok(())) if lent.is_at_end() => Ok(()),
                Ok(Ok(())) => Err(live.broke_contract(OPERATION, "it did not read the blob to its end")),
            };
            // Nobody may be waiting any more.
            let _ = answer.send(result);
        })
    });
    Consumed::Running {
        sender,
        complete,
        result,
    }
}
