//! By etcd-client.

use etcd_client::{Compare, CompareOp, Txn, TxnOp, WatchOptions};

use crate::{COMMITS, Client, KEYS, VALUE};

#[derive(Clone)]
pub struct ByHand(etcd_client::Client);

impl ByHand {
    pub async fn connect(url: &str) -> Self {
        Self(etcd_client::Client::connect([url], None).await.expect("etcd is there"))
    }

    /// Writes what is read and watched; the revision before the latter.
    pub async fn prepare(&self) -> u64 {
        let mut client = self.0.clone();
        let mut put = async |key: String| {
            let put = client.put(key, VALUE.as_slice(), None).await.expect("it is written");
            put.header().expect("there is one").revision()
        };
        let mut since = 0;
        for number in 0..KEYS {
            since = put(format!("bench/read/{number:03}")).await;
        }
        for number in 0..COMMITS {
            put(format!("bench/watch/{:03}", number % KEYS)).await;
        }
        u64::try_from(since).expect("a revision")
    }
}

impl Client for ByHand {
    async fn get(&mut self, number: usize) {
        let found = self.0.get(format!("bench/read/{number:03}"), None).await.expect("it is read");
        assert_eq!(found.kvs()[0].value().len(), VALUE.len());
    }

    async fn swap(&mut self, number: usize, known: Option<u64>) -> u64 {
        let key = format!("bench/swap/{number:03}");
        let known = known.map(|known| i64::try_from(known).expect("a revision"));
        let compares: Vec<_> = known
            .map(|known| Compare::mod_revision(key.as_str(), CompareOp::Equal, known))
            .into_iter()
            .collect();
        let txn = Txn::new()
            .when(compares)
            .and_then([TxnOp::put(key.as_str(), VALUE.as_slice(), None)])
            .or_else([TxnOp::get(key.as_str(), None)]);
        let done = self.0.txn(txn).await.expect("it is written");
        assert!(done.succeeded(), "nobody else writes it");
        u64::try_from(done.header().expect("there is one").revision()).expect("a revision")
    }

    async fn watch(&mut self, since: u64) {
        let from = i64::try_from(since).expect("a revision") + 1;
        let options = WatchOptions::new().with_prefix().with_start_revision(from);
        let mut stream = self.0.watch("bench/watch/", Some(options)).await.expect("it opens");
        let mut heard = 0;
        while heard < COMMITS {
            let told = stream.message().await.expect("it goes well").expect("it goes on");
            heard += told.events().len();
        }
    }
}
