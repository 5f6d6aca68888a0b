use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::contract;
use crate::testing::postgres::PostgresServer;

struct Databases {
    server: PostgresServer,
    last: std::sync::Mutex<String>,
}

impl Databases {
    async fn open(&self) -> Arc<dyn EventStore> {
        let url = self.last.lock().unwrap().clone();
        Arc::new(PostgresStore::open(&url, Access::Write).await.unwrap())
    }
}

#[async_trait]
impl contract::Harness for Databases {
    async fn fresh(&self) -> Arc<dyn EventStore> {
        let url = self.server.database().await;
        *self.last.lock().unwrap() = url;
        self.open().await
    }

    async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        drop(store);
        self.open().await
    }

    async fn rival(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(server) = PostgresServer::start() else { return };
    contract::run(&Databases { server, last: std::sync::Mutex::default() }).await;
}
