//! A disk in memory that does what real ones do to us: it loses power between any two operations, forgets what no barrier
//! covered, fills up, and takes its time. For tests and simulation.

use super::disk::{Change, Disk, Tree, Visit};
use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What shall go wrong, and when. Shared by the disks of one node, so that one count covers them both.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    operations: u64,
    cut_at: Option<u64>,
    fail_at: Option<(u64, io::ErrorKind)>,
    history: Option<Vec<Operation>>,
    latency: Option<Box<dyn FnMut() -> Duration + Send>>,
}

/// Something that changed a disk, or made it safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Changes in the tree of that name, together.
    Write(String, Vec<Change>),
    /// The tree of that name was dropped.
    Drop(String),
    /// Everything before is safe.
    Barrier,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes, drops and barriers that were asked for so far.
    pub fn operations(&self) -> u64 {
        lock(&self.0).operations
    }

    /// The power goes before this operation, counted from 0: it fails, and all that come after it.
    pub fn cut_at(&self, operation: u64) {
        lock(&self.0).cut_at = Some(operation);
    }

    /// This operation, counted from 0, fails, and does nothing.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        lock(&self.0).fail_at = Some((operation, kind));
    }

    /// How long each barrier takes, in the runtime's time; nothing at all unless told.
    pub fn latency(&self, of: impl FnMut() -> Duration + Send + 'static) {
        lock(&self.0).latency = Some(Box::new(of));
    }

    /// Keeps what is done from now on for [`Faults::history`].
    pub fn record(&self) {
        lock(&self.0).history = Some(Vec::new());
    }

    /// Everything that succeeded since [`Faults::record`], in order.
    pub fn history(&self) -> Vec<Operation> {
        lock(&self.0).history.clone().unwrap_or_default()
    }

    /// Counts an operation and decides its fate.
    fn step(&self, operation: impl FnOnce() -> Operation) -> io::Result<()> {
        let mut plan = lock(&self.0);
        let number = plan.operations;
        plan.operations += 1;
        if plan.cut_at.is_some_and(|cut| number >= cut) {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the power is off"));
        }
        if let Some((fatal, kind)) = plan.fail_at
            && fatal == number
        {
            return Err(io::Error::new(kind, "planned fault"));
        }
        if let Some(history) = &mut plan.history {
            history.push(operation());
        }
        Ok(())
    }
}

/// See the module. Clones are the same disk.
#[derive(Clone)]
pub struct MemoryDisk {
    faults: Faults,
    content: Arc<Mutex<Content>>,
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Content {
    /// What reads see.
    live: BTreeMap<String, Records>,
    /// What a crash leaves for certain.
    safe: BTreeMap<String, Records>,
    /// What happened since the last barrier; a crash keeps a prefix.
    unsynced: Vec<Operation>,
    /// The process that used it is gone.
    dead: bool,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new(faults: &Faults) -> Self {
        Self { faults: faults.clone(), content: Arc::default() }
    }

    /// How many writes no barrier has covered yet.
    pub fn unsynced(&self) -> usize {
        lock(&self.content).unsynced.len()
    }

    /// The disk as the next process finds it: what the last barrier covered, and of the writes since then the first `keep`.
    /// All that used it before now gets errors.
    pub fn crash(&self, keep: usize, faults: &Faults) -> Self {
        let mut content = lock(&self.content);
        content.dead = true;
        let mut left = content.safe.clone();
        content.unsynced.iter().take(keep).for_each(|operation| replay(&mut left, operation));
        let content = Content { live: left.clone(), safe: left, unsynced: Vec::new(), dead: false };
        Self { faults: faults.clone(), content: Arc::new(Mutex::new(content)) }
    }

    /// Flips one bit of a record's value, as a failing medium does. Says whether there was such a byte.
    pub fn corrupt(&self, tree: &str, key: &[u8], byte: usize) -> bool {
        let mut content = lock(&self.content);
        let Content { live, safe, .. } = &mut *content;
        let mut found = false;
        for records in [live, safe] {
            let byte = records.get_mut(tree).and_then(|tree| tree.get_mut(key)).and_then(|value| value.get_mut(byte));
            if let Some(byte) = byte {
                *byte ^= 1;
                found = true;
            }
        }
        found
    }

    /// The keys and value sizes of a tree.
    pub fn keys(&self, tree: &str) -> Vec<(Vec<u8>, usize)> {
        let content = lock(&self.content);
        content.live.get(tree).into_iter().flatten().map(|(key, value)| (key.clone(), value.len())).collect()
    }

    fn change(&self, operation: Operation) -> io::Result<()> {
        let mut content = self.alive()?;
        self.faults.step(|| operation.clone())?;
        replay(&mut content.live, &operation);
        content.unsynced.push(operation);
        Ok(())
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Content>> {
        let content = lock(&self.content);
        if content.dead {
            Err(io::Error::new(io::ErrorKind::BrokenPipe, "this process has crashed"))
        } else {
            Ok(content)
        }
    }
}

impl Disk for MemoryDisk {
    fn tree(&self, name: &str) -> io::Result<Arc<dyn Tree>> {
        self.alive()?.live.entry(name.into()).or_default();
        Ok(Arc::new(MemoryTree { disk: self.clone(), name: name.into() }))
    }

    fn trees(&self) -> io::Result<Vec<String>> {
        Ok(self.alive()?.live.keys().cloned().collect())
    }

    fn drop_tree(&self, name: &str) -> io::Result<()> {
        self.change(Operation::Drop(name.into()))
    }

    fn barrier(&self) -> io::Result<()> {
        let mut content = self.alive()?;
        self.faults.step(|| Operation::Barrier)?;
        let Content { safe, unsynced, .. } = &mut *content;
        unsynced.drain(..).for_each(|operation| replay(safe, &operation));
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    fn latency(&self) -> Option<Duration> {
        Some(lock(&self.faults.0).latency.as_mut().map_or(Duration::ZERO, |of| of()))
    }
}

struct MemoryTree {
    disk: MemoryDisk,
    name: String,
}

impl MemoryTree {
    /// The first record in `range`, from either end.
    fn first(&self, range: (Bound<&[u8]>, Bound<&[u8]>), last: bool) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let content = self.disk.alive()?;
        let Some(records) = content.live.get(&self.name) else { return Ok(None) };
        let mut range = records.range::<[u8], _>(range);
        let found = if last { range.next_back() } else { range.next() };
        Ok(found.map(|(key, value)| (key.clone(), value.clone())))
    }
}

impl Tree for MemoryTree {
    fn put(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.write(vec![Change::Put(key.into(), value.into())])
    }

    fn write(&self, changes: Vec<Change>) -> io::Result<()> {
        self.disk.change(Operation::Write(self.name.clone(), changes))
    }

    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.disk.alive()?.live.get(&self.name).and_then(|records| records.get(key)).cloned())
    }

    fn floor(&self, key: &[u8]) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.first((Bound::Unbounded, Bound::Included(key)), true)
    }

    fn scan(&self, from: &[u8], visit: Visit<'_>) -> io::Result<()> {
        let mut from = Bound::Included(from.to_vec());
        // Copied out one by one, so that the visitor runs without the lock.
        while let Some((key, value)) = self.first((from.as_ref().map(Vec::as_slice), Bound::Unbounded), false)? {
            if visit(&key, &value)?.is_break() {
                break;
            }
            from = Bound::Excluded(key);
        }
        Ok(())
    }
}

fn replay(trees: &mut BTreeMap<String, Records>, operation: &Operation) {
    match operation {
        Operation::Write(name, changes) => {
            let records = trees.entry(name.clone()).or_default();
            for change in changes {
                match change {
                    Change::Put(key, value) => records.insert(key.clone(), value.clone()),
                    Change::Remove(key) => records.remove(key),
                };
            }
        }
        Operation::Drop(name) => {
            trees.remove(name);
        }
        Operation::Barrier => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_the_barrier_and_a_prefix() {
        let faults = Faults::new();
        let disk = MemoryDisk::new(&faults);
        let tree = disk.tree("t").expect("tree");
        tree.put(b"a", b"1").expect("put");
        disk.barrier().expect("barrier");
        tree.put(b"b", b"2").expect("put");
        tree.write(vec![Change::Remove(b"a".into()), Change::Put(b"c".into(), b"3".into())]).expect("write");
        assert_eq!(disk.unsynced(), 2);
        let keys = |disk: &MemoryDisk| disk.keys("t").into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys(&disk.crash(0, &faults)), [b"a"]);
        assert_eq!(keys(&disk.crash(1, &faults)), [b"a", b"b"]);
        assert_eq!(keys(&disk.crash(9, &faults)), [b"b", b"c"]);
        assert!(tree.get(b"a").is_err(), "the old process is gone");
    }

    #[test]
    fn faults_come_when_planned() {
        let faults = Faults::new();
        let disk = MemoryDisk::new(&faults);
        let tree = disk.tree("t").expect("tree");
        faults.fail_at(1, io::ErrorKind::StorageFull);
        faults.cut_at(3);
        tree.put(b"a", b"1").expect("0");
        assert_eq!(tree.put(b"b", b"2").map_err(|e| e.kind()), Err(io::ErrorKind::StorageFull));
        disk.barrier().expect("2");
        assert_eq!(tree.put(b"c", b"3").map_err(|e| e.kind()), Err(io::ErrorKind::BrokenPipe));
        assert!(disk.barrier().is_err());
        assert_eq!(faults.operations(), 5);
        assert_eq!(disk.keys("t"), [(b"a".to_vec(), 1)]);
    }
}
