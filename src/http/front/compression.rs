//! Compression of what has no `ETag`: lists, histories, pages.
//!
//! A strong tag says that bytes are equal, and compressed ones are not (RFC 9110, section 8.8.3.3). A proxy that
//! compresses anyway has to weaken the tag, which then never matches in `If-Match`. So whatever carries a tag is sent as
//! it is.

use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// Smaller bodies gain nothing, in bytes.
const MIN_BYTES: u64 = 512;

/// Compresses by gzip what may be.
pub(super) fn layer() -> CompressionLayer<impl Predicate + Send + Sync + 'static> {
    let predicate = SizeAbove::new(MIN_BYTES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES)
        .and(has_no_tag);
    CompressionLayer::new().gzip(true).compress_when(predicate)
}

fn has_no_tag(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(header::ETAG)
}

/// Leaves of `Accept-Encoding` only whether gzip is accepted. It comes before [`layer`], which would answer 406 when
/// nothing is acceptable, after the handler has run: also when that has written something.
pub(super) fn simplify_accept_encoding(headers: &mut HeaderMap) {
    if accepts_gzip(headers) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    } else {
        headers.remove(header::ACCEPT_ENCODING);
    }
}

/// RFC 9110, section 12.5.3. What is malformed accepts nothing.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    let fields =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
    for item in fields.flat_map(|field| field.split(',')) {
        let (coding, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let accepted = weight
            .trim()
            .strip_prefix(['q', 'Q'])
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .and_then(|quality| quality.trim().parse::<f32>().ok())
            .is_some_and(|quality| quality > 0.0);
        match coding.trim() {
            "*" => any = Some(accepted),
            coding if ["gzip", "x-gzip"].iter().any(|gzip| coding.eq_ignore_ascii_case(gzip)) => {
                named = Some(accepted);
            }
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_who_accepts_it() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(value),
            )]))
        };
        for value in [
            "gzip",
            "br, GZIP",
            "gzip;q=0.5",
            "*",
            "identity;q=0, *;q=0.1",
            "x-gzip",
            "gzip ; q = 1",
        ] {
            assert!(accepts(value), "{value}");
        }
        for value in [
            "",
            "br",
            "gzip;q=0",
            "*, gzip;q=0",
            "gzip;q=0.000",
            "identity;q=0",
            "gzip;q=x",
            "*;q=0",
        ] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
