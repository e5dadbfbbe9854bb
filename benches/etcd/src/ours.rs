//! By `ifmatch::etcd`.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use ifmatch::etcd::Etcd;
use ifmatch::{AsPrefix, Backend, Precondition, Revision};

use crate::{COMMITS, Client, VALUE};

#[derive(Clone)]
pub struct Ours(Etcd);

impl Ours {
    pub async fn connect(url: &str) -> Self {
        Self(Etcd::builder([url]).namespace("bench/").connect().await.expect("etcd is there"))
    }
}

impl Client for Ours {
    async fn get(&mut self, number: usize) {
        let entry = self.0.get(&format!("read/{number:03}").into()).await.expect("it is read");
        assert_eq!(entry.expect("it is there").len(), VALUE.len());
    }

    async fn swap(&mut self, number: usize, known: Option<u64>) -> u64 {
        let precondition = match known {
            Some(known) => Revision::try_from(known).expect("a revision").into(),
            None => Precondition::Any,
        };
        let (key, value) = (format!("swap/{number:03}").into(), Bytes::from_static(&VALUE));
        self.0.put_if(key, value, precondition).await.expect("nobody else writes it").revision().get()
    }

    async fn watch(&mut self, since: u64) {
        let range = AsPrefix::into_range(b"watch/".as_slice());
        let since = Revision::try_from(since).expect("a revision");
        let mut watch = self.0.watch(range, Some(since)).await.expect("it opens");
        for _ in 0..COMMITS {
            let told = poll_fn(|context| Pin::new(&mut watch).poll_next(context)).await;
            told.expect("it goes on").expect("it goes well");
        }
    }
}
