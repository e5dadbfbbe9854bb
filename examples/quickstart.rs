//! Two threads change one value at the same time; the one that loses the race is told, merges, and wins.
//!
//!     cargo run --example quickstart

use std::sync::Barrier;
use std::thread;

use ifmatch::{Conflict, Store, Versioned, WriteError};

/// Who comes to dinner.
type Guests = Vec<String>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store: Store<String, Guests> = Store::new();
    let revision = store.create("dinner", vec!["Ada".to_owned()])?;
    println!("created \"dinner\" at revision {revision}");

    // Both read before either writes, so that exactly one of them loses.
    let both_have_read = Barrier::new(2);
    thread::scope(|scope| {
        let threads = ["Grace", "Edsger"].map(|name| {
            let (store, both_have_read) = (&store, &both_have_read);
            scope.spawn(move || {
                let read = store.get("dinner").expect("nobody deletes it");
                println!("{name} reads revision {}: {:?}", read.revision(), read.value());
                both_have_read.wait();
                add_guest(store, read, name)
            })
        });
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;

    let dinner = store.get("dinner").expect("nobody deletes it");
    println!(
        "in the end revision {}, {} writes: {:?}",
        dinner.revision(),
        dinner.write_count(),
        dinner.value()
    );
    assert_eq!(dinner.len(), 3, "no guest is lost");
    Ok(())
}

/// Writes the list back with `name` added, if it is still as it was read; else on top of what is there now.
fn add_guest(
    store: &Store<String, Guests>,
    mut base: Versioned<Guests>,
    name: &str,
) -> Result<(), WriteError<String, Guests>> {
    loop {
        let mut guests = base.value().clone();
        guests.push(name.to_owned());
        let conflict: Conflict<String, Guests> =
            match store.put_if("dinner", guests, base.revision()) {
                Ok(revision) => {
                    println!("{name} writes revision {revision}");
                    return Ok(());
                }
                Err(error) => error.into_conflict()?,
            };
        println!("{name} is told: {conflict}");
        // The conflict carries what is there now: merging takes no second read.
        base = conflict.current().expect("nobody deletes it").clone();
    }
}
