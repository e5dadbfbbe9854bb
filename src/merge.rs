//! Three-way merge of JSON documents: what two people made of one document, put together.
//!
//! `base` is what both started from, `mine` what one side wants to write, `theirs` what the other has written. Nothing is
//! lost silently: what one side changed is in the result, what both changed differently is a [`Clash`].
//!
//! # Rules
//! - Members of objects are merged one by one, at any depth. A change, addition or removal on one side wins; the same
//!   change on both sides is one change; a removal against a change is a clash. `null` is a value, not an absence.
//! - Where the base has nothing, two objects merge as if the base had an empty object there.
//! - Anything else is one value, **arrays too**: elements have no names, so a merge by position would mix up what is
//!   what. [`MergeRules::keyed`] says which arrays have elements with an identifier; those are merged by it.
//! - Values are compared by meaning: `1` and `1.0` are the same, and so are objects with their members in another order.
//! - The members are in their order in `theirs`, then what `mine` added. If `theirs` and the base are alike, the text of
//!   numbers is that of `mine`.
//!
//! ```
//! use ifmatch::json::Json;
//! use ifmatch::merge::{Choice, merge};
//!
//! let base: Json = r#"{"name": "Ann", "email": "a@old", "age": 30}"#.parse()?;
//! let mine: Json = r#"{"name": "Anna", "email": "a@mine", "age": 30}"#.parse()?;
//! let theirs: Json = r#"{"name": "Ann", "email": "a@theirs", "age": 31}"#.parse()?;
//!
//! let merged = merge(&base, &mine, &theirs);
//! let [clash] = merged.clashes() else { panic!("one member was changed by both") };
//! assert_eq!(clash.pointer().to_string(), "/email");
//! assert_eq!(clash.to_string(), r#"/email: base "a@old", mine "a@mine", theirs "a@theirs""#);
//! assert_eq!(
//!     merged.resolve(|_| Choice::Mine).to_string(),
//!     r#"{"name":"Anna","email":"a@mine","age":31}"#
//! );
//! # Ok::<(), ifmatch::json::InvalidJson>(())
//! ```

mod clash;
mod keyed;
mod merged;
mod rules;
mod walk;

pub use clash::{Choice, Clash};
pub use merged::Merged;
pub use rules::MergeRules;

use crate::json::Json;

/// Merges `mine` and `theirs`, which were both made from `base`, or from nothing if that is `None`. Arrays are one value;
/// with [`MergeRules`] those with identifiers in their elements are merged, too.
#[must_use]
pub fn merge<'a>(base: impl Into<Option<&'a Json>>, mine: &'a Json, theirs: &'a Json) -> Merged {
    MergeRules::new().merge(base, mine, theirs)
}
