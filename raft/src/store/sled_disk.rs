//! A [`Disk`] on sled 0.34, with what it takes to trust it.
//!
//! | what sled does                                             | what is done about it                                    |
//! |------------------------------------------------------------|----------------------------------------------------------|
//! | `flush` ends in `sync_file_range`, which is no barrier      | our own `fdatasync` on its file, through a second descriptor |
//! | leaves over 128 KiB go to files in `blobs/`, never synced   | records stay under 5.5 KiB; [`Disk::check`] looks         |
//! | opening or reading a damaged file may panic                 | every call is caught and becomes an error                 |
//! | two processes in one directory destroy it                   | [`Lock`], taken before anything is opened                 |
//! | a `Db` lets go of its file some time after it was dropped   | opening waits a little                                    |

use super::{
    disk::{Change, Disk, Tree, Visit},
    records::corrupt,
};
use std::{
    fs::{File, TryLockError},
    io,
    ops::{Bound, ControlFlow},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::sync::watch;

/// The newest log entries are served from memory; sled is read on start and for laggards.
const CACHE_BYTES: u64 = 8 << 20;
/// How often and after how long opening is tried again while the last user's file is still locked.
const RETRIES: u32 = 200;
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// The exclusive right to a data directory. Held as long as a disk in it is.
pub struct Lock {
    _file: File,
    /// Closes when the file has been closed: fields go in this order.
    released: watch::Sender<()>,
}

impl Lock {
    /// Takes `<dir>/LOCK`; makes the directory if there is none.
    ///
    /// # Errors
    /// `ResourceBusy` if another process, or another part of this one, has it.
    pub fn take(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("LOCK");
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file, released: watch::Sender::new(()) }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("data directory {} is in use by another node", dir.display()),
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Ends when the lock does.
    pub fn released(&self) -> watch::Receiver<()> {
        self.released.subscribe()
    }
}

/// See the module.
pub struct SledDisk {
    db: sled::Db,
    /// sled's file, for our own `fdatasync`.
    data: File,
    blobs: PathBuf,
    /// After `db`, so that it outlives it.
    lock: Arc<Lock>,
}

impl SledDisk {
    /// Opens the database in `dir`, on a thread of its own.
    ///
    /// # Errors
    /// Whatever sled says; `InvalidData` if it panics over what it finds.
    pub fn open(dir: &Path, lock: Arc<Lock>) -> io::Result<Self> {
        let path = dir.to_path_buf();
        let opener = thread::Builder::new().name("sled-open".into()).spawn(move || open(&path))?;
        let db = opener.join().unwrap_or_else(|_| Err(corrupt("sled could not open its file")))?;
        let data = File::options().read(true).write(true).open(dir.join("db"))?;
        let disk = Self { db, data, blobs: dir.join("blobs"), lock };
        // The directory entries are as new as the files.
        File::open(dir)?.sync_all()?;
        disk.barrier()?;
        Ok(disk)
    }
}

fn open(path: &Path) -> io::Result<sled::Db> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None) // a barrier is when we say so
        .mode(sled::Mode::HighThroughput);
    let mut left = RETRIES;
    loop {
        match config.open() {
            Err(error) if left > 0 && error.to_string().contains("could not acquire lock") => {
                left -= 1;
                thread::sleep(RETRY_AFTER);
            }
            other => return other.map_err(io_error),
        }
    }
}

/// sled's errors, with the kind of the I/O error underneath.
fn io_error(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Io(error) => error,
        sled::Error::Corruption { .. } => corrupt(error),
        other => io::Error::other(other.to_string()),
    }
}

/// Runs a call into sled; a panic in there is an error out here.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(io_error),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(io::Error::other(format!("sled panicked: {}", said.unwrap_or("without a word"))))
        }
    }
}

impl Disk for SledDisk {
    fn tree(&self, name: &str) -> io::Result<Arc<dyn Tree>> {
        Ok(Arc::new(SledTree { tree: guarded(|| self.db.open_tree(name))?, _lock: self.lock.clone() }))
    }

    fn trees(&self) -> io::Result<Vec<String>> {
        let names = guarded(|| Ok(self.db.tree_names()))?;
        Ok(names.iter().filter_map(|name| std::str::from_utf8(name).ok()).map(String::from).collect())
    }

    fn drop_tree(&self, name: &str) -> io::Result<()> {
        guarded(|| self.db.drop_tree(name)).map(|_| ())
    }

    fn barrier(&self) -> io::Result<()> {
        guarded(|| self.db.flush())?;
        self.data.sync_data()
    }

    fn check(&self) -> io::Result<()> {
        let mut found = match std::fs::read_dir(&self.blobs) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        match found.next() {
            None => Ok(()),
            Some(_) => Err(io::Error::other("sled wrote a side file, which no barrier covers")),
        }
    }

    fn latency(&self) -> Option<Duration> {
        None
    }
}

struct SledTree {
    tree: sled::Tree,
    /// A tree keeps its database open.
    _lock: Arc<Lock>,
}

impl Tree for SledTree {
    fn put(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        guarded(|| self.tree.insert(key, value)).map(|_| ())
    }

    fn write(&self, mut changes: Vec<Change>) -> io::Result<()> {
        if changes.len() > 1 {
            let mut batch = sled::Batch::default();
            for change in changes {
                match change {
                    Change::Put(key, value) => batch.insert(key, value),
                    Change::Remove(key) => batch.remove(key),
                }
            }
            return guarded(|| self.tree.apply_batch(batch));
        }
        // One change needs no manifest.
        match changes.pop() {
            Some(Change::Put(key, value)) => self.put(&key, &value),
            Some(Change::Remove(key)) => guarded(|| self.tree.remove(key)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(guarded(|| self.tree.get(key))?.map(|value| value.to_vec()))
    }

    fn floor(&self, key: &[u8]) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let found = guarded(|| self.tree.range::<&[u8], _>(..=key).next_back().transpose())?;
        Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn scan(&self, from: &[u8], visit: Visit<'_>) -> io::Result<()> {
        let mut records = self.tree.range::<&[u8], _>((Bound::Included(from), Bound::Unbounded));
        while let Some((key, value)) = guarded(|| records.next().transpose())? {
            if let ControlFlow::Break(()) = visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}
