//! Every limit on what a plugin may use up, and the threat that it answers.

use std::time::Duration;

/// Linear memory of one instance, all memories together. A balloon would take
/// the machine's memory from everything else.
pub const MEMORY: usize = 256 << 20;

/// Elements of one table. Tables are memory that [`MEMORY`] does not count.
pub const TABLE_ELEMENTS: usize = 100_000;

/// Instances, memories and tables of one store. A component can nest any number
/// of core modules, each with host-side bookkeeping.
pub const INSTANCES: usize = 64;

/// CPU time of a guest between two calls of the host. An endless loop would
/// otherwise hang the copy; a busy but useful guest talks to the host.
pub const CPU_BETWEEN_HOST_CALLS: Duration = Duration::from_secs(10);

/// CPU time of one call of the guest, what the host does for it included, beyond
/// what [`BYTES_PER_CPU_SECOND`] allows. A guest that calls the host in an endless
/// loop, to no end, would otherwise hang the copy.
pub const CPU_PER_CALL: Duration = Duration::from_secs(30);

/// Bytes that earn a guest one more second of CPU time when they are moved into or
/// out of it, or hashed for it: far fewer than the slowest useful one moves in that time. One that
/// reads for ever at full speed is as good as an endless blob: that is for whoever
/// counts the bytes, or waits, to end.
pub const BYTES_PER_CPU_SECOND: u64 = 4 << 20;

/// Wall-clock time without any call of the host while the guest waits for
/// something else, such as a clock. A guest that sleeps uses no CPU.
pub const IDLE: Duration = Duration::from_secs(120);

/// How long a cancelled guest may clean up before its store is dropped.
pub const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// Handles of all kinds that one instance holds. Each may be an open file of the
/// host, of which a process has few.
pub const HANDLES: usize = 2_000;

/// Bytes that one call or result moves into the host, whatever their shape. The
/// host allocates what the guest announces.
pub const CALL_BYTES: usize = 8 << 20;

/// Manifest, configuration, all signatures of an image together. They are kept
/// in memory and parsed.
pub const DOCUMENT: usize = longshore_types::MAX_MANIFEST_SIZE;

/// Streams that one stream is made of, each around the next. Reading one calls them all, one from within the other: too
/// many take the host's stack.
pub(crate) const STREAM_DEPTH: usize = 16;

/// Small pieces that a guest writes to a stream, gathered before they go on: each of
/// them would cost a change of threads.
pub(crate) const GATHERED: usize = 256 << 10;

/// One `read`, `read-at`, `write`, `write-at` or inline blob.
pub const PIECE: usize = 1 << 20;

/// A whole small file read or written in one call.
pub const SMALL_FILE: usize = 8 << 20;

/// What a lock reads from or writes to the locked file. Marks in lock files have a
/// few bytes.
pub const LOCK_FILE: usize = 64 << 10;

/// Length of a path, in bytes, as the operating system has it.
pub const PATH: usize = 4096;

/// One extended attribute, as the operating system has it.
pub const EXTENDED_ATTRIBUTE: usize = 64 << 10;

/// All extended attributes of one file. They are collected before the guest sees
/// them.
pub const EXTENDED_ATTRIBUTES: usize = 1 << 20;

/// Names in one directory. They are collected before the guest sees them.
pub const DIRECTORY_ENTRIES: usize = 100_000;

/// Length of an error message; the rest is cut. It ends up on terminals.
pub const MESSAGE: usize = 4 << 10;

/// What a guest may write to its standard output and error in all. It goes to
/// the debug log.
pub const LOG: usize = 64 << 10;

/// Random bytes that WASI hands out in one call.
pub const RANDOM: u64 = 64 << 10;

/// Directories and other things that one reference may ask for: each layer of an image may be a file of its own.
pub const GRANTS: usize = 128;

/// Files that one policy requirement may name, and transports that one plugin may serve.
pub const NAMED: usize = 16;

/// Target of a request. Servers take no longer ones.
pub const HTTP_TARGET: usize = 8 << 10;

/// Header fields of a request, and the bytes of their names and values. The host keeps them in memory.
pub const HTTP_REQUEST_HEADERS: usize = 64;

/// See [`HTTP_REQUEST_HEADERS`].
pub const HTTP_REQUEST_HEADER_BYTES: usize = 16 << 10;

/// Bytes of names and values of an answer's header fields. A server would have the guest keep them.
pub const HTTP_ANSWER_HEADER_BYTES: usize = 64 << 10;

/// Bytes of an answer that go into a message.
pub const HTTP_QUOTED: usize = 1 << 10;

/// Time to resolve, connect and shake hands. Who is silent then is not there.
pub const HTTP_CONNECT: Duration = Duration::from_secs(30);

/// Time without a byte in either direction. Daemons say nothing while they unpack or pack an image; a dead one would
/// hang the copy.
pub const HTTP_STALL: Duration = Duration::from_secs(600);

/// How long the reason is waited for that a server gives for an early answer.
pub const HTTP_PEEK: Duration = Duration::from_secs(5);

/// A file of certificates or a key. The system's own bundle has a few hundred KiB.
pub const PEM_FILE: u64 = 4 << 20;

/// Images that one reference may list.
pub const IMAGES: usize = 100_000;

/// Between two looks at a running guest. Also how late a limit may strike.
pub(crate) const EPOCH: Duration = Duration::from_millis(50);

/// Between two looks at a waiting guest.
pub(crate) const IDLE_POLL: Duration = Duration::from_millis(250);
