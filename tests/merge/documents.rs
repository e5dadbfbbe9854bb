//! Documents for proptest: few names and few values, so that there is much to agree and to clash about.

use ifmatch::json::{Json, Object};
use proptest::prelude::*;

pub(crate) fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (0_u64..4).prop_map(|number| Json::Number(number.into())),
        "[ab\"]{0,2}".prop_map(Json::String),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[abcd]", Just("~/".to_owned()), Just(String::new())]
}

/// Any document, as numbers go with small ones.
pub(crate) fn document() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            members(inner.clone()),
            members(inner),
        ]
    })
}

/// An object.
pub(crate) fn object() -> impl Strategy<Value = Json> {
    members(document())
}

fn members(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::vec((name(), value), 0..5)
        .prop_map(|members| Json::Object(members.into_iter().collect::<Object>()))
}

/// An array of objects with different identifiers, now and then with none or one twice.
pub(crate) fn keyed_array() -> impl Strategy<Value = Json> {
    let element = (0_u64..6, 0_u64..3, prop::bool::weighted(0.02)).prop_map(|(id, value, bare)| {
        let id = (!bare).then(|| ("id".to_owned(), Json::Number(id.into())));
        let value = Some(("value".to_owned(), Json::Number(value.into())));
        Json::Object(id.into_iter().chain(value).collect())
    });
    (prop::collection::vec(element, 0..6), prop::bool::weighted(0.9)).prop_map(
        |(elements, distinct)| {
            let mut kept: Vec<Json> = Vec::new();
            for element in elements {
                let twice = kept.iter().any(|other| other.get("id") == element.get("id"));
                if !(distinct && twice) {
                    kept.push(element);
                }
            }
            Json::Array(kept)
        },
    )
}
