//! openraft's own storage suite, over sled and over the disk in memory.

use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use quorate_raft::{
    state::PlainOwners,
    store::{
        Disks, LogStore, Machine, TypeConfig,
        memory::{Faults, MemoryDisk},
        open, open_on,
    },
};
use std::sync::Arc;
use tempfile::TempDir;

type Built<G> = Result<(G, LogStore, Machine<PlainOwners>), StorageError<TypeConfig>>;

struct OnSled;

impl StoreBuilder<TypeConfig, LogStore, Machine<PlainOwners>, TempDir> for OnSled {
    async fn build(&self) -> Built<TempDir> {
        let dir = TempDir::new().expect("a directory");
        let opened = open(dir.path(), Arc::new(PlainOwners::default())).await.expect("opens");
        Ok((dir, opened.log, opened.machine))
    }
}

struct InMemory;

impl StoreBuilder<TypeConfig, LogStore, Machine<PlainOwners>> for InMemory {
    async fn build(&self) -> Built<()> {
        let faults = Faults::new();
        let disks = Disks { log: Arc::new(MemoryDisk::new(&faults)), snap: Arc::new(MemoryDisk::new(&faults)) };
        let opened = open_on(disks, Arc::new(PlainOwners::default())).await.expect("opens");
        Ok(((), opened.log, opened.machine))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_passes_on_sled() {
    Suite::test_all(OnSled).await.expect("the suite");
}

#[tokio::test]
async fn the_suite_passes_in_memory() {
    Suite::test_all(InMemory).await.expect("the suite");
}
