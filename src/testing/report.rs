//! A violation for people: as text, and as a page.

mod html;
mod layout;
mod text;

pub(super) use self::html::{MAX_CALLS as HTML_CALLS, html};
pub(super) use self::layout::Layout;
pub(super) use self::text::{MAX_CALLS as TEXT_CALLS, text};
