//! One program over etcd, over a server, or over a log of its own: only the line that opens the store differs.
//!
//!     cargo run --features etcd,client --example etcd -- etcd://127.0.0.1:2379     # or http://127.0.0.1:4090, or a directory

use bytes::Bytes;
use ifmatch::client::{Client, Remote};
use ifmatch::etcd::Etcd;
use ifmatch::typed::Typed;
use ifmatch::{AsPrefix, Backend, BackendSnapshot, Precondition, Store, Txn, WriteError};

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
    visits: u64,
}

type Failed = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let place = std::env::args().nth(1).unwrap_or("etcd://127.0.0.1:2379".into());
    if place.starts_with("etcd") {
        work(Typed::new(Etcd::connect(&place).await?)).await
    } else if place.starts_with("http") {
        work(Typed::new(Remote::connect(Client::new(place)?).await?)).await
    } else {
        work(Typed::new(Store::<Bytes, Bytes>::builder().open(place)?)).await
    }
}

async fn work(users: impl Backend<String, User>) -> Result<(), Failed> {
    let ada =
        update(&users, "users/ada", |ada| User { name: "Ada".into(), visits: ada.visits + 1 })
            .await?;
    println!("{ada:?}");

    // All or nothing, as with a `Store`: a `CommitError` names every precondition that does not hold.
    let bob = User { name: "Bob".into(), visits: 0 };
    let txn = Txn::new().require("users/ada", Precondition::Present).put("users/bob", bob);
    println!("committed at revision {}", users.commit(txn).await?);

    // Page by page, all of one revision.
    let snapshot = users.snapshot().await?;
    let mut rest = Some("users/".into_range());
    while let Some(range) = rest {
        let page = snapshot.page(range, 100).await?;
        page.entries.iter().for_each(|(key, user)| println!("{key}: {:?}", user.value()));
        rest = page.rest;
    }
    Ok(())
}

/// The loop of compare and swap: who lost the race changes what is there now, which the conflict has.
async fn update(
    users: &impl Backend<String, User>,
    key: &str,
    change: impl Fn(User) -> User,
) -> Result<User, Failed> {
    let mut current = users.get(&key.into()).await?;
    loop {
        let user = change(current.as_deref().cloned().unwrap_or_default());
        let unchanged = current.as_ref().map_or(Precondition::Absent, Precondition::from);
        match users.put_if(key.into(), user.clone(), unchanged).await {
            Ok(_) => return Ok(user),
            Err(WriteError::Conflict(conflict)) => current = conflict.into_parts().0,
            // `OutcomeUnknown` among them: it may have been written. Read before you write again.
            Err(other) => return Err(other.into()),
        }
    }
}
