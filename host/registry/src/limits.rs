//! Every limit of the client, each with what it guards against.

use std::time::Duration;

/// All pages of one tag list together, in bytes: paging can go on for ever.
pub const MAX_TAG_PAGES: usize = 64 << 20;

/// Most pages of one tag list: pages can be empty, so their bytes alone bound nothing.
pub(crate) const MAX_TAG_PAGE_COUNT: usize = 100_000;

/// Largest list of signatures that a registry keeps itself, in bytes.
pub(crate) const MAX_SIGNATURE_LIST: usize = 4 << 20;

/// Most signatures of one manifest that are taken from a registry: each is judged, and judging costs time.
pub(crate) const MAX_SIGNATURES: usize = 128;

/// Largest answer of an API server, in bytes.
pub(crate) const MAX_API_ANSWER: usize = 4 << 20;

/// Largest answer of a token server, in bytes.
pub(crate) const MAX_TOKEN_ANSWER: usize = 1 << 20;

/// How much of an error answer is read, in bytes; the rest is not waited for.
pub(crate) const MAX_ERROR_BODY: usize = 64 << 10;

/// Most entries of an error answer that are kept.
pub(crate) const MAX_ERRORS: usize = 8;

/// Longest text of a registry that goes into one of our messages, in characters.
pub(crate) const MAX_QUOTED: usize = 1024;

/// Most scopes that are taken from one challenge: a registry could have us ask for thousands.
pub(crate) const MAX_CHALLENGE_SCOPES: usize = 16;

/// Most distinct warnings of one registry that are remembered and logged.
pub(crate) const MAX_WARNINGS: usize = 64;

/// Most redirects that one request follows: a loop would never end.
pub(crate) const MAX_REDIRECTS: usize = 10;

/// Time to resolve, connect and shake hands (RC-08).
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Time without a single byte moving after which a peer counts as gone. Registries that fetch from another one, or hash
/// what they got, are silent for tens of seconds; who is silent for a minute has gone.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How many stall times a registry has to answer once it has all of a blob: storing gigabytes in
/// an object store takes it minutes, but not for ever.
pub(crate) const COMMIT_STALLS: u32 = 10;

/// Time for the best-effort removal of an upload session.
pub(crate) const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Tries of one request that is answered by 429, the first one included (RL-01).
pub(crate) const MAX_TRIES: u32 = 5;

/// Wait before the first repetition when the registry names none (RL-01); it doubles.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Longest wait between two tries, whatever the registry asks for (RL-01).
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

/// Bytes of a streamed upload that are kept for a second try in pieces, should the registry refuse
/// the blob in one request. They are shared with what is being sent, not copied.
pub(crate) const REPLAY_WINDOW: usize = 1 << 20;

/// Size of a piece of a chunked upload, in bytes; also what the fallback keeps in memory per blob.
pub(crate) const CHUNK: usize = 4 << 20;

/// Size of a piece after the registry called a larger one too large, in bytes: the widespread
/// default of reverse proxies.
pub(crate) const SMALL_CHUNK: usize = 1 << 20;

/// Largest `OCI-Chunk-Min-Length` that is honoured, in bytes: the registry chooses the number, we
/// hold the memory.
pub(crate) const MAX_CHUNK: usize = 16 << 20;

/// Tries of one piece of a chunked upload.
pub(crate) const MAX_CHUNK_TRIES: u32 = 4;

/// How far all HTTP/2 streams of a connection together may run ahead of us, in bytes. It is more
/// than all parallel blobs have in their own windows (2 MiB each), or some that wait for the disk
/// would stop the others.
pub(crate) const HTTP2_CONNECTION_WINDOW: u32 = 64 << 20;

/// Wait before a broken download is gone on with: whatever broke it may need a moment (PI-07).
pub(crate) const RESUME_WAIT: Duration = Duration::from_secs(1);

/// Bytes that must have come since the last time for a download to be gone on with once more: a server that breaks off
/// all the time would keep us for ever (PI-07).
pub(crate) const RESUME_AFTER_BYTES: u64 = 1 << 20;

/// Time since the last time after which a download is gone on with however little came (PI-07).
pub(crate) const RESUME_AFTER_TIME: Duration = Duration::from_secs(60);

/// Most URLs of a descriptor that are tried: its author could have us ask thousands of hosts.
pub(crate) const MAX_EXTERNAL_URLS: usize = 8;
