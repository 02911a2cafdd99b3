use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::error::presentable;
use crate::limits;

/// Where the standard output and error of a guest end: the debug log, line by
/// line, up to a limit. The last lines are kept for the report of a crash.
#[derive(Clone)]
pub(crate) struct GuestLog {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    plugin: String,
    line: Vec<u8>,
    left: usize,
    last: Option<String>,
}

impl GuestLog {
    pub(crate) fn new(plugin: String) -> Self {
        let inner = Inner {
            plugin,
            line: Vec::new(),
            left: limits::LOG,
            last: None,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// The last thing that was said about a panic, for the report of a crash.
    pub(crate) fn last_words(&self) -> Option<String> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.end_line();
        inner.last.take()
    }
}

impl Inner {
    fn write(&mut self, data: &[u8]) {
        let taken = data.len().min(self.left);
        self.left -= taken;
        for byte in &data[..taken] {
            if *byte == b'\n' {
                self.end_line();
            } else {
                self.line.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        let line = presentable(String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end());
        if line.is_empty() {
            return;
        }
        tracing::debug!("plugin {}: {line}", self.plugin);
        // A Rust panic is a line with the place and one with the message.
        self.last = Some(match self.last.take() {
            Some(before) if before.contains("panicked at") => format!("{before} {line}"),
            _ => line,
        });
    }
}

impl AsyncWrite for GuestLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).write(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}
