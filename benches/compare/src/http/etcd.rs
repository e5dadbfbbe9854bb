//! A client of etcd, which speaks its gRPC: each has a connection of its own.

use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};

use super::protocol::Answer;

pub struct Connection(Client);

impl Connection {
    pub async fn new(port: u16) -> Self {
        let client = Client::connect([format!("http://127.0.0.1:{port}")], None).await;
        Self(client.expect("it listens"))
    }

    pub async fn get(&mut self, key: &str) -> Answer {
        let found = self.0.get(key, None).await.expect("the server lives");
        let found = found.kvs().first().expect("every key is there");
        std::hint::black_box(found.value());
        Answer::Read(found.mod_revision().to_string())
    }

    pub async fn put(&mut self, key: &str, value: &[u8]) {
        self.0.put(key, value, None).await.expect("the server lives");
    }

    pub async fn swap(&mut self, key: &str, revision: &str, value: &[u8]) -> Answer {
        let revision = revision.parse().expect("it was read");
        let is_it = Compare::mod_revision(key, CompareOp::Equal, revision);
        let swap = Txn::new().when([is_it]).and_then([TxnOp::put(key, value, None)]);
        let done = self.0.txn(swap).await.expect("the server lives");
        if done.succeeded() { Answer::Done } else { Answer::Refused }
    }
}
