use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use longshore_types::{Compression, Digest};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::{BlobInfoCache, Fact, MAX_LOCATIONS, MemoryCache, Variant};

/// How long another process may hold the file before this one goes on without it. Each holds it for some milliseconds,
/// so this is for a crowd on a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many variants of one content are looked at.
const MAX_VARIANTS: usize = 16;

/// Rowids grow with each record, so they stand for its age.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS contents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest TEXT NOT NULL UNIQUE,
        compression TEXT NOT NULL,
        uncompressed TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS contents_uncompressed ON contents (uncompressed);
    CREATE TABLE IF NOT EXISTS locations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest TEXT NOT NULL,
        domain TEXT NOT NULL,
        repository TEXT NOT NULL,
        UNIQUE (digest, domain, repository)
    );";

/// A cache in a file that several processes can use at the same time.
///
/// The file is opened, and made if need be, with the first use. One that cannot be used, because it is damaged, not
/// ours or not writable, is left as it is; the copies of this process then remember in memory. Nothing is synced for
/// its sake: records that a power failure takes away, or a file that it damages, cost some uploads.
#[derive(Debug)]
pub struct SqliteCache {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Unopened,
    Open(Connection),
    Unusable(MemoryCache),
}

impl SqliteCache {
    /// A cache in the file at `path`. Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            state: Mutex::new(State::Unopened),
        }
    }

    /// Asks the file, or memory if the file cannot be used.
    fn with<T>(
        &self,
        in_file: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
        in_memory: impl FnOnce(&MemoryCache) -> T,
    ) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Unopened) {
            *state = match open(&self.path) {
                Ok(connection) => State::Open(connection),
                Err(error) => self.unusable(&error),
            };
        }
        if let State::Open(connection) = &mut *state {
            match in_file(connection) {
                Ok(answer) => return answer,
                Err(error) => *state = self.unusable(&error),
            }
        }
        let empty = MemoryCache::default();
        match &*state {
            State::Unusable(memory) => in_memory(memory),
            State::Open(_) | State::Unopened => in_memory(&empty),
        }
    }

    fn unusable(&self, error: &rusqlite::Error) -> State {
        let path = self.path.display();
        tracing::debug!("blob info cache {path}: {error}; blobs are remembered in memory only");
        State::Unusable(MemoryCache::default())
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(folder) = path.parent() {
        // What is wrong with the folder shows when the file is opened.
        let _ = std::fs::create_dir_all(folder);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // Against a file that somebody prepared: no code from the schema is trusted, no broken page is followed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // The log is folded into the file when it has grown, not at the end of every copy.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA synchronous = OFF;")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        1 => {}
        0 => {
            let script = format!("BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = 1; COMMIT;");
            connection.execute_batch(&script)?;
            // Fails while another process uses the new file, and where memory cannot be shared: without it each copy
            // waits for the disk once.
            if let Err(error) = connection.pragma_update(None, "journal_mode", "WAL") {
                tracing::debug!("blob info cache {}: {error}", path.display());
            }
        }
        _ => return Err(rusqlite::Error::InvalidQuery),
    }
    Ok(connection)
}

impl BlobInfoCache for SqliteCache {
    fn variants(&self, digest: &Digest) -> Vec<Variant> {
        self.with(
            |connection| {
                let mut statement = connection.prepare(
                    "SELECT digest, compression FROM contents
                     WHERE uncompressed = coalesce((SELECT uncompressed FROM contents WHERE digest = ?1), ?1)
                     AND digest <> ?1 ORDER BY id DESC LIMIT ?2",
                )?;
                let rows = statement.query_map(params![digest.as_str(), MAX_VARIANTS as i64], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                })?;
                let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
                let read = |(digest, compression): (String, String)| {
                    Some(Variant {
                        digest: Digest::parse(&digest).ok()?,
                        compression: Compression::from_name(&compression)?,
                    })
                };
                Ok(rows.into_iter().filter_map(read).collect())
            },
            |memory| memory.variants(digest),
        )
    }

    fn locations(&self, digest: &Digest, domain: &str) -> Vec<String> {
        self.with(
            |connection| {
                let mut statement = connection.prepare(
                    "SELECT repository FROM locations WHERE digest = ?1 AND domain = ?2 ORDER BY id DESC LIMIT ?3",
                )?;
                let rows = statement.query_map(params![digest.as_str(), domain, MAX_LOCATIONS as i64], |row| {
                    row.get::<_, String>(0)
                })?;
                rows.collect()
            },
            |memory| memory.locations(digest, domain),
        )
    }

    fn record(&self, facts: &[Fact]) {
        self.with(
            |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                for fact in facts {
                    insert(&transaction, fact)?;
                }
                transaction.commit()
            },
            |memory| memory.record(facts),
        );
    }
}

/// What is known already is not written again: a copy that moves nothing changes no page.
fn insert(connection: &Connection, fact: &Fact) -> rusqlite::Result<()> {
    match fact {
        Fact::Content {
            digest,
            compression,
            uncompressed,
        } => connection
            .prepare("INSERT OR IGNORE INTO contents (digest, compression, uncompressed) VALUES (?1, ?2, ?3)")?
            .execute(params![digest.as_str(), compression.as_str(), uncompressed.as_str()])?,
        Fact::Location {
            digest,
            domain,
            repository,
        } => connection
            .prepare("INSERT OR IGNORE INTO locations (digest, domain, repository) VALUES (?1, ?2, ?3)")?
            .execute(params![digest.as_str(), domain, repository])?,
    };
    Ok(())
}
