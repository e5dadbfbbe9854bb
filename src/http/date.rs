//! Dates in headers (RFC 9110 5.6.7): whole seconds, in one of three forms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::field;
use super::problem::{Problem, ProblemKind};

/// The date in the header `name`; `None` if there is none.
///
/// # Errors
/// 400 if it is there twice, or is no date: a condition that was not understood must not let a write pass.
pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Option<SystemTime>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let date = value.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    match (date, values.next()) {
        (Some(date), None) => Ok(Some(date)),
        (_, Some(_)) => Err(invalid(name, "it is there twice")),
        (None, None) => Err(invalid(name, "it is not a date like Sun, 06 Nov 1994 08:49:37 GMT")),
    }
}

fn invalid(name: &HeaderName, what: &str) -> Problem {
    Problem::new(ProblemKind::InvalidHeader, format!("the header {name}: {what}"))
}

/// The time without what a date in a header does not have.
pub(super) fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// The last second that a date in a header can name: the end of the year 9999.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// The time as a date for a header, or in JSON.
pub(super) fn text(time: SystemTime) -> String {
    httpdate::fmt_http_date(in_range(time))
}

fn in_range(time: SystemTime) -> SystemTime {
    time.clamp(UNIX_EPOCH, UNIX_EPOCH + LATEST)
}

/// The time as the value of a header.
pub(super) fn header(time: SystemTime) -> HeaderValue {
    field::value(httpdate::HttpDate::from(in_range(time)))
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_MODIFIED_SINCE;

    use super::*;

    #[test]
    fn the_three_forms_of_a_date_are_read_and_nothing_else() {
        let date = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(IF_MODIFIED_SINCE, text.parse().unwrap());
            }
            of(&headers, &IF_MODIFIED_SINCE).map_err(|problem| problem.status().as_u16())
        };
        let expected = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(date(&[text]), Ok(Some(expected)), "{text}");
        }
        assert_eq!(date(&[]), Ok(None));
        for text in
            ["", "now", "784111777", "Sun, 06 Nov 1994 08:49:37 CET", "1994-11-06T08:49:37Z"]
        {
            assert_eq!(date(&[text]), Err(400), "{text}");
        }
        assert_eq!(date(&["Sun, 06 Nov 1994 08:49:37 GMT"; 2]), Err(400));
    }

    #[test]
    fn no_time_is_too_far_for_a_header() {
        let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(text(far), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
