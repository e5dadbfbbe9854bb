//! The pages that the `type` of a problem leads to: text for programs and terminals, HTML for browsers.
//!
//! All that they show is the crate's own text, [`ProblemKind::advice`] first of all. Nothing of a request is in them.

use std::fmt::Write;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Problem, ProblemKind};

/// A page runs and loads nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The pages that the `type`s of problems lead to, `/problems/` and `/problems/{slug}`, as a router.
///
/// They are a part of [`router`](super::super::router()), too; but the `type` of a problem is the same wherever that is
/// nested. So an application that nests it has these at its root:
///
/// ```
/// use axum::Router;
/// use ifmatch::http::{Options, documents, problem_pages, router};
///
/// let api = router(documents().build(), Options::default());
/// let app: Router = Router::new().nest("/api", api).merge(problem_pages());
/// # let _ = app;
/// ```
pub fn problem_pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/problems/", get(list)).route("/problems/{slug}", get(page))
}

/// `GET` of all of them.
pub(in crate::http) async fn list(headers: HeaderMap) -> Response {
    let kinds = ProblemKind::ALL.into_iter();
    if !wants_html(&headers) {
        return text(kinds.fold(String::new(), |mut text, kind| {
            let line = (kind.status().as_u16(), kind.reference(), kind.title());
            writeln!(text, "{} {} {}", line.0, line.1, line.2).expect("a string takes all");
            text
        }));
    }
    let rows = kinds.fold(String::new(), |mut rows, kind| {
        // Relative, so that it works wherever it is mounted.
        let slug = kind.slug();
        let (status, title) = (kind.status().as_u16(), escape(kind.title()));
        writeln!(
            rows,
            "<tr><td>{status}</td><td><a href=\"./{slug}\">{slug}</a></td><td>{title}</td></tr>"
        )
        .expect("a string takes all");
        rows
    });
    html("Problems", &format!("<h1>Problems</h1>\n<table>\n{rows}</table>\n"))
}

/// `GET` of one.
pub(in crate::http) async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let slug = uri.path().strip_prefix("/problems/").unwrap_or_default();
    let Some(kind) = ProblemKind::ALL.into_iter().find(|kind| kind.slug() == slug) else {
        let detail = "there is no such kind of problem; all are at /problems/";
        return Problem::new(ProblemKind::NoSuchRoute, detail).into_response();
    };
    let problem = kind.example();
    let example = serde_json::to_string_pretty(&*problem.0).expect("text and numbers serialize");
    if !wants_html(&headers) {
        return text(format!(
            "{}\n\nStatus: {}\n\n{}\n\nFor example:\n\n{example}\n",
            kind.title(),
            kind.status(),
            kind.advice()
        ));
    }
    let body = format!(
        "<h1>{title}</h1>\n<p><code>{slug}</code>, status {status}</p>\n<p>{advice}</p>\n<h2>For example</h2>\n\
         <pre>{example}</pre>\n<p><a href=\"./\">All problems</a></p>\n",
        title = escape(kind.title()),
        slug = kind.slug(),
        status = escape(&kind.status().to_string()),
        advice = escape(kind.advice()),
        example = escape(&example),
    );
    html(kind.title(), &body)
}

/// Whether a browser asks. A client that takes anything gets text.
fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim_ascii);
            let refused = |part: &str| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/html"))
                && !parts.any(refused)
        })
}

fn text(text: String) -> Response {
    respond("text/plain; charset=utf-8", text)
}

fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n\
         body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}\n\
         pre {{ overflow: auto }}\ntd {{ padding-right: 1rem; vertical-align: top }}\n\
         </style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    );
    let mut response = respond("text/html; charset=utf-8", page);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

fn respond(content_type: &'static str, page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::VARY, HeaderValue::from_static("accept")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, page).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_html_by_name_gets_it() {
        let cases = [
            ("text/html", true),
            ("application/xhtml+xml, Text/HTML;q=0.9, */*;q=0.1", true),
            ("*/*", false),
            ("text/*", false),
            ("text/html;q=0, */*", false),
            ("", false),
        ];
        for (accept, expected) in cases {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_html(&headers), expected, "{accept:?}");
        }
        assert!(!wants_html(&HeaderMap::new()));
    }

    #[test]
    fn what_html_would_read_as_markup_is_escaped() {
        assert_eq!(escape("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
    }
}
