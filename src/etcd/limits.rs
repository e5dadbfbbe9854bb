//! How many operations a transaction may have: etcd refuses more (`--max-txn-ops`, 128 by default), and does not tell its
//! limit. So it is found, by transactions that only compare, when one was refused.
//!
//! etcd counts for itself what is compared, what is done and what is done instead, and takes the largest of the three.

use etcd_client::{Compare, CompareOp, Txn as EtcdTxn, TxnOp};

use crate::sync::Ordering;

use super::Etcd;
use super::fault::Fault;
use super::members::Request;

impl Etcd {
    /// The most operations, fewer than `refused`. A guess if etcd does not answer.
    pub(super) async fn max_operations(&self, refused: usize) -> usize {
        let known = self.shared.max_operations.load(Ordering::Relaxed);
        if let Ok(known @ 1..) = usize::try_from(known)
            && known < refused
        {
            return known;
        }
        let (mut taken, mut refused) = (1, refused.max(2));
        while taken + 1 < refused {
            let middle = taken.midpoint(refused);
            match self.takes(middle).await {
                Ok(true) => taken = middle,
                Ok(false) => refused = middle,
                Err(_) => return taken,
            }
        }
        let found = u64::try_from(taken).unwrap_or(u64::MAX);
        self.shared.max_operations.store(found, Ordering::Relaxed);
        taken
    }

    async fn takes(&self, operations: usize) -> Result<bool, Fault> {
        let key = self.shared.namespace.outer(b"");
        let compare = Compare::version(key.clone(), CompareOp::Greater, -1);
        let txn =
            EtcdTxn::new().when(vec![compare; operations]).and_then(vec![TxnOp::get(key, None)]);
        match self.transact(Request::Read, txn).await {
            Ok(_) => Ok(true),
            Err(Fault::TooManyOperations) => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}
