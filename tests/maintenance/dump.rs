//! What is dumped is all there is, and enough to make the store again.

use std::ops::ControlFlow;

use ifmatch::Store;
use ifmatch::maintenance::{self, DumpOptions, Item};
use serde_json::{Value, json};

use crate::common::format::{self, segment_name};
use crate::common::scratch;
use crate::past::{Past, Place, SHAPES, Shape, State};

/// Every line of a dump, as JSON.
fn lines(place: &Place, options: &DumpOptions) -> Vec<Value> {
    let mut lines = Vec::new();
    let found = maintenance::dump(place.data(), options, &mut |dumped| {
        lines.push(serde_json::to_value(dumped).unwrap());
        ControlFlow::Continue(())
    });
    found.unwrap().unwrap();
    lines
}

/// What these lines make.
fn replay(lines: &[Value], covered: u64) -> State {
    let mut state = State::new();
    for line in lines {
        let number = |name: &str| line[name].as_u64().unwrap();
        let text = |name: &str| line[name]["string"].as_str().unwrap().to_owned();
        match line["kind"].as_str().unwrap() {
            "entry" => {
                let (created, writes) = (number("created_revision"), number("write_count"));
                let entry = (number("revision"), created, writes, text("value"));
                state.insert(text("key"), entry);
            }
            "put" if number("revision") > covered => {
                let revision = number("revision");
                let before = state.get(&text("key")).map(|entry| (entry.1, entry.2));
                let (created, writes) = before.unwrap_or((revision, 0));
                state.insert(text("key"), (revision, created, writes + 1, text("value")));
            }
            "delete" if number("revision") > covered => drop(state.remove(&text("key"))),
            _ => {}
        }
    }
    state
}

#[test]
fn the_lines_make_the_state() {
    for shape in SHAPES {
        let past = Past::new(shape, true);
        let place = Place::new(&past.files);
        let lines = lines(&place, &DumpOptions::default());
        let covered = lines.iter().filter(|line| line["kind"] == "entry");
        let covered = covered.map(|line| line["revision"].as_u64().unwrap()).max().unwrap_or(0);
        assert_eq!(covered > 0, shape == Shape::Checkpoint);
        assert_eq!(replay(&lines, covered), past.at(past.newest()), "{shape:?}");
        assert_eq!(lines.last().unwrap()["kind"], "close");
        // Each has its place.
        for line in lines.iter().filter(|line| line["kind"] == "put") {
            let bytes = &past.files[line["file"].as_str().unwrap()];
            let offset = usize::try_from(line["offset"].as_u64().unwrap()).unwrap();
            assert_eq!(format::u64_at(bytes, offset + 24), line["revision"].as_u64().unwrap());
        }
    }
}

#[test]
fn a_key_and_a_revision_choose() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let all = lines(&place, &DumpOptions::default());
    let of_key = lines(&place, &DumpOptions::default().key("key/7"));
    let expected: Vec<_> =
        all.iter().filter(|line| line["key"] == json!({ "string": "key/7" })).cloned().collect();
    assert!(expected.len() > 3);
    assert_eq!(of_key, expected);
    let middle = *past.states.keys().nth(60).unwrap();
    let since = lines(&place, &DumpOptions::default().since(middle));
    let expected: Vec<_> = all
        .iter()
        .filter(|line| line["key"].is_object() && line["revision"].as_u64() > Some(middle))
        .cloned()
        .collect();
    assert_eq!(since, expected);
}

#[test]
fn damage_ends_it_unless_it_is_to_go_on() {
    let past = Past::new(Shape::Segments, true);
    let mut files = past.files.clone();
    let bytes = files.get_mut(&segment_name(2)).unwrap();
    let frame = format::frames(bytes)[3].clone();
    bytes[frame.range.start + format::FRAME_HEADER] ^= 1;
    let place = Place::new(&files);
    let before = lines(&place, &DumpOptions::default());
    let damage = before.last().unwrap();
    assert_eq!(damage["kind"], "damage");
    assert_eq!(damage["revision"], frame.revision);
    assert_eq!(damage["file"], *segment_name(2));
    let all = lines(&place, &DumpOptions::default().past_damage(true));
    assert_eq!(all[..before.len()], before);
    let after: Vec<u64> = all[before.len()..]
        .iter()
        .filter(|line| line["key"].is_object())
        .map(|line| {
            assert_eq!(line["after_damage"], true);
            line["revision"].as_u64().unwrap()
        })
        .collect();
    let mut revisions = after.clone();
    revisions.dedup();
    assert_eq!(revisions, past.revisions_after(frame.revision));
}

#[test]
fn who_has_seen_enough_breaks_off() {
    let past = Past::new(Shape::Checkpoint, true);
    let place = Place::new(&past.files);
    let mut seen = 0;
    let found = maintenance::dump(place.data(), &DumpOptions::default(), &mut |_| {
        seen += 1;
        if seen < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!((found.unwrap(), seen), (None, 5));
}

#[test]
fn keys_that_are_not_text_are_shown_as_bytes_and_found_by_them() {
    let directory = scratch();
    let store: Store<(u8, u8), Vec<u8>> = Store::builder().open(directory.path()).unwrap();
    store.put((1, 2), vec![0xff]).unwrap();
    store.put((1, 3), b"text".to_vec()).unwrap();
    let mut shown = Vec::new();
    let options = DumpOptions::default().key("0x0103"); // which looks like no string
    maintenance::dump(directory.path(), &options, &mut |dumped| {
        if let Item::Put { key, value, .. } = dumped.item {
            shown.push((key.to_string(), value.to_string(), value.content().unwrap().to_vec()));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(shown, [("0x0103".to_owned(), "\"text\"".to_owned(), b"text".to_vec())]);
}
