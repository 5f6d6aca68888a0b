use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::contract;

struct Files {
    dir: TempDir,
    next: std::sync::atomic::AtomicU32,
}

impl Files {
    fn new() -> Self {
        Files { dir: tempfile::tempdir().unwrap(), next: 0.into() }
    }
}

fn writer() -> Mode {
    Mode::Writer { holder: this_process() }
}

#[async_trait]
impl contract::Harness for Files {
    async fn fresh(&self) -> Arc<dyn EventStore> {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = self.dir.path().join(format!("{number}.db"));
        Arc::new(SqliteStore::open(&path, writer()).await.unwrap())
    }

    async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        let number = self.next.load(std::sync::atomic::Ordering::Relaxed) - 1;
        drop(store);
        let path = self.dir.path().join(format!("{number}.db"));
        Arc::new(SqliteStore::open(&path, writer()).await.unwrap())
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::run(&Files::new()).await;
}
