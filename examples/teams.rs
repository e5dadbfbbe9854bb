//! Teams and their members: transactions that keep a rule over many keys, a list of one moment, and a log of changes.
//!
//!     cargo run --example teams

use std::thread;

use ifmatch::{CommitError, Event, Precondition, Store, Txn};

/// The name of a team or of a member.
type Names = Store<String, String>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Names::new();
    let before = store.snapshot();
    store.create("team/red", "Red".to_owned())?;
    store.create("team/blue", "Blue".to_owned())?;

    // While some join, others try to delete: no member is ever left without a team.
    thread::scope(|scope| {
        for name in ["ada", "grace", "edsger"] {
            for team in ["red", "blue"] {
                let store = &store;
                scope.spawn(move || println!("{name} joins {team}: {}", join(store, team, name)));
            }
        }
        for team in ["red", "blue"] {
            let store = &store;
            scope.spawn(move || println!("delete {team}: {}", delete(store, team)));
        }
    });

    // A list of one moment, in order.
    let now = store.snapshot();
    for (key, name) in &now {
        println!("at revision {}: {key} is {}", now.revision(), *name);
    }
    for (key, _) in now.prefix("member/") {
        let team = key.split('/').nth(1).unwrap_or_default();
        assert!(now.contains(format!("team/{team}")), "{key} has no team");
    }

    // All that happened since the snapshot of before, in order and without a gap.
    let mut watch = store.watch().since(before.revision()).open()?;
    while let Ok(commit) = watch.try_recv() {
        for event in commit.events() {
            match event {
                Event::Put { key, entry, .. } => {
                    println!("{}: {key} = {}", commit.revision(), **entry)
                }
                _ => println!("{}: {} deleted", commit.revision(), event.key()),
            }
        }
    }
    Ok(())
}

/// A member joins only a team that exists, at the moment it joins.
fn join(store: &Names, team: &str, name: &str) -> String {
    let txn = Txn::new()
        .require(format!("team/{team}"), Precondition::Present)
        .put(format!("member/{team}/{name}"), name.to_owned());
    told(store.commit(txn))
}

/// A team is deleted only while nobody is in it.
fn delete(store: &Names, team: &str) -> String {
    let txn = Txn::new()
        .require(format!("team/{team}"), Precondition::Present)
        .require_none_under(format!("member/{team}/"))
        .delete(format!("team/{team}"));
    told(store.commit(txn))
}

fn told(outcome: Result<ifmatch::Revision, CommitError<String, String>>) -> String {
    match outcome {
        Ok(revision) => format!("revision {revision}"),
        Err(error) => error.to_string(),
    }
}
