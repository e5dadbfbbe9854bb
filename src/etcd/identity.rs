//! Which store it is: random digits in a key beside the store's, written by the first that connects.
//!
//! The number of a cluster alone would not do: etcd makes it from the addresses of its members, so that a cluster made anew
//! at the same place has the same, and revisions that were used before.

use etcd_client::proto::PbTxnOpResponse;
use etcd_client::{Compare, CompareOp, Txn as EtcdTxn, TxnOp};

use crate::identity::Identity;

use super::connect_error::ConnectError;
use super::fault::Fault;
use super::members::{Members, Request};
use super::namespace::Namespace;

/// The identity that is stored, or else a new one.
pub(super) async fn find(
    members: &Members,
    namespace: &Namespace,
) -> Result<Identity, ConnectError> {
    let key = namespace.identity_key();
    let stored = match read(members, &key).await? {
        Some(stored) => stored,
        None => create(members, &key).await?,
    };
    let Some(stored) = digits(&stored) else { return Err(ConnectError::InvalidIdentity { key }) };
    Ok(of(stored, members.cluster()))
}

/// Whether what is stored now says that it is still the store `known`.
pub(super) fn is_still(known: Identity, stored: Option<&[u8]>, members: &Members) -> bool {
    stored.and_then(digits).is_some_and(|stored| of(stored, members.cluster()) == known)
}

async fn read(members: &Members, key: &str) -> Result<Option<Vec<u8>>, Fault> {
    let found = members.ask(Request::Read, |clients| {
        let mut kv = clients.kv.clone();
        async move { Ok(kv.get(key, None).await?.0) }
    });
    Ok(found.await?.kvs.into_iter().next().map(|found| found.value))
}

/// Writes one if there is none; returns what is there then. It may come through twice.
async fn create(members: &Members, key: &str) -> Result<Vec<u8>, Fault> {
    let new = Identity::random().to_string();
    let answer = members.ask(Request::Read, |clients| {
        let mut kv = clients.kv.clone();
        let txn = EtcdTxn::new()
            .when(vec![Compare::create_revision(key, CompareOp::Equal, 0)])
            .and_then(vec![TxnOp::put(key, new.as_str(), None), TxnOp::get(key, None)])
            .or_else(vec![TxnOp::get(key, None)]);
        async move { Ok(kv.txn(txn).await?.0) }
    });
    let mut found =
        answer.await?.responses.into_iter().filter_map(|answer| match answer.response {
            Some(PbTxnOpResponse::ResponseRange(found)) => found.kvs.into_iter().next(),
            _ => None,
        });
    Ok(found.next().map(|found| found.value).unwrap_or_default())
}

/// What was stored, and which cluster it is: of a copy that is a cluster of its own there is another identity.
fn of(stored: u128, cluster: u64) -> Identity {
    Identity::from_bytes((stored ^ u128::from(cluster)).to_be_bytes())
}

fn digits(stored: &[u8]) -> Option<u128> {
    let text = std::str::from_utf8(stored).ok()?;
    let is_whole = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_whole.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_another_cluster_is_another_store() {
        assert_ne!(of(7, 1), of(7, 2));
        assert_ne!(of(7, 1), of(8, 1));
    }

    #[test]
    fn what_is_no_identity_is_not_taken_for_one() {
        let identity = Identity::random();
        let stored = identity.to_string();
        assert_eq!(digits(stored.as_bytes()).map(u128::to_be_bytes), Some(identity.to_bytes()));
        for text in ["", "1", &format!("{stored}0"), &stored.replace(|_: char| true, "g")] {
            assert_eq!(digits(text.as_bytes()), None, "{text}");
        }
        assert_eq!(digits(&[0xff; 32]), None);
    }
}
