//! Compacting from outside: the same content, in fewer bytes, whatever the codec.

use ifmatch::maintenance::{self, MaintenanceError};

use crate::common::read_files;
use crate::past::{Past, Place, SHAPES, Shape, builder, names, state, verify};

#[test]
fn what_is_compacted_is_the_same_in_fewer_bytes() {
    for shape in SHAPES {
        for clean in [true, false] {
            let case = format!("{shape:?}, clean: {clean}");
            let past = Past::new(shape, clean);
            let place = Place::new(&past.files);
            let before = verify(&place.data());
            let next = before.next_revision();
            let made = maintenance::compact(place.data(), &mut |_| {}).unwrap();
            assert_eq!(made.bytes_before, before.bytes, "{case}");
            let bytes: usize = read_files(&place.data()).values().map(Vec::len).sum();
            assert_eq!(made.bytes_after, u64::try_from(bytes).unwrap(), "{case}");
            assert!(made.bytes_after < made.bytes_before, "{case}: {made:?}");
            assert_eq!(made.keys, u64::try_from(past.at(past.newest()).len()).unwrap(), "{case}");
            let after = verify(&place.data());
            assert!(after.is_sound() && after.clean, "{case}: {after:?}");
            assert_eq!(after.identity, before.identity, "{case}: it is the same store");
            assert_eq!((after.segments, after.commits), (1, 0), "{case}");

            let store = builder().open(place.data()).unwrap();
            assert_eq!(state(&store), past.at(past.newest()), "{case}");
            assert_eq!(store.put("new", String::new()).unwrap().get(), next, "{case}");
            store.close().unwrap();

            // Once more, with what was written since.
            let made = maintenance::compact(place.data(), &mut |_| {}).unwrap();
            assert_eq!(made.newest, next, "{case}");
            let store = builder().open(place.data()).unwrap();
            assert_eq!(store.len(), past.at(past.newest()).len() + 1, "{case}");
        }
    }
}

#[cfg(feature = "postcard")]
#[test]
fn the_codec_does_not_matter() {
    let codec = || builder().codec::<ifmatch::Postcard>();
    let past = Past::with(codec(), Shape::Segments, true);
    let place = Place::new(&past.files);
    maintenance::compact(place.data(), &mut |_| {}).unwrap();
    assert_eq!(verify(&place.data()).codec, "postcard-1");
    assert_eq!(state(&codec().open(place.data()).unwrap()), past.at(past.newest()));
    maintenance::restore(place.data(), place.path("restored"), 0, &mut |_| {}).unwrap();
    assert_eq!(state(&codec().open(place.path("restored")).unwrap()), past.at(past.newest()));
}

#[test]
fn it_does_nothing_to_what_is_in_use_or_damaged_or_not_there() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let store = builder().open(place.data()).unwrap();
    let error = maintenance::compact(place.data(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::Locked { .. }), "{error}");
    drop(store);
    assert_eq!(read_files(&place.data()), past.files);

    let mut files = past.files.clone();
    files.values_mut().next().unwrap()[200] ^= 1;
    let place = Place::new(&files);
    let error = maintenance::compact(place.data(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::Damaged(_)), "{error}");
    assert_eq!(names(&place.data()).len(), files.len(), "not even a lock file");
    assert_eq!(read_files(&place.data()), files);

    let error = maintenance::compact(place.path("x"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::Io { .. }), "{error}");
    assert_eq!(place.names(), ["data"]);
}
