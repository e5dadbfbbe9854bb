//! Arbitrary requests to the router over a store in memory, without sockets: methods, targets, headers and bodies of the
//! fuzzer's, with the current ETag and revision where it asks for them.
//!
//! Nothing is 5xx; every 4xx is a problem document of a known type and with the status that it has; nothing that demands
//! nothing is a lost race; and what a PUT says it has written is what a GET reads.
#![no_main]

use arbitrary::Arbitrary;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use ifmatch::http::{Options, PreconditionStatus, ProblemKind, documents, router};
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt;

#[derive(Arbitrary, Debug)]
struct Input {
    strict: bool,
    required: bool,
    requests: Vec<Asked>,
}

#[derive(Arbitrary, Debug)]
struct Asked {
    method: Verb,
    place: Place,
    query: Vec<(Parameter, Text)>,
    fields: Vec<(Field, Text)>,
    body: Content,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Verb {
    Get,
    Head,
    Put,
    Post,
    Patch,
    Delete,
    Options,
}

#[derive(Arbitrary, Debug)]
enum Place {
    /// One of a few keys, so that requests meet.
    Key(u8),
    Encoded(String),
    Raw(String),
    Collection,
    History(u8),
    Txn,
    Watch,
    Problem(String),
    Description,
    Metrics,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Parameter {
    At,
    Wait,
    After,
    Revision,
    UnlessPrefix,
    Prefix,
    Limit,
    Cursor,
    Since,
    Unknown,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Field {
    IfMatch,
    IfNoneMatch,
    IfModifiedSince,
    IfUnmodifiedSince,
    Prefer,
    IdempotencyKey,
    LastEventId,
    ContentType,
    ContentEncoding,
    ContentRange,
    Accept,
}

#[derive(Arbitrary, Debug)]
enum Text {
    Raw(Vec<u8>),
    CurrentTag,
    WeakTag,
    CurrentRevision,
    Star,
    Number(u64),
    Json,
    MergePatch,
    JsonPatch,
    Representation,
    Seconds(u8),
    Date,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Raw(Vec<u8>),
    Create(u8, String),
    Write { key: u8, required: u8, other: u8, text: String },
    Operation { op: u8, path: String, from: String, number: i32 },
    Member(String, i32),
}

/// What the answer before said, for requests that build on it.
#[derive(Default)]
struct Last {
    etag: String,
    revision: String,
}

fuzz_target!(|input: Input| {
    // Time passes at once when all wait: a long poll takes no time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let status = if input.strict { PreconditionStatus::PreconditionFailed } else { PreconditionStatus::Conflict };
        let options =
            Options::default().precondition_status(status).require_preconditions(input.required).max_body(1 << 16);
        let router = router(documents().build(), options);
        let mut last = Last::default();
        for asked in input.requests.iter().take(32) {
            if let Some(request) = asked.request(&last) {
                ask(&router, request, asked, input.strict, &mut last).await;
            }
        }
    });
});

async fn ask(router: &Router, request: Request<Body>, asked: &Asked, strict: bool, last: &mut Last) {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let sent = asked.body.bytes(last);
    let name = format!("{method} {uri}");
    let response = router.clone().oneshot(request).await.expect("it answers always");
    let (head, body) = response.into_parts();
    assert!(!head.status.is_server_error(), "{} of {name}", head.status);
    assert!(head.headers.contains_key(header::CACHE_CONTROL), "{name}");
    if head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        // It may have no end.
        return;
    }
    let body = to_bytes(body, 64 << 20).await.expect("a body in memory");
    if head.status.is_client_error() {
        assert_eq!(head.headers[header::CONTENT_TYPE], "application/problem+json", "{name}");
        if method != Method::HEAD {
            problem(&body, head.status, &name);
        }
    }
    let demands = asked.fields.iter().any(|(field, _)| {
        matches!(field, Field::IfMatch | Field::IfNoneMatch | Field::IfModifiedSince | Field::IfUnmodifiedSince)
    }) || asked.query.iter().any(|(parameter, _)| matches!(parameter, Parameter::Revision | Parameter::UnlessPrefix));
    if !demands && [Method::PUT, Method::DELETE, Method::GET].contains(&method) {
        assert_ne!(head.status, StatusCode::CONFLICT, "{name}");
        assert_ne!(head.status, StatusCode::PRECONDITION_FAILED, "{name}");
    }
    if head.status == StatusCode::PRECONDITION_FAILED && ![Method::GET, Method::HEAD].contains(&method) {
        assert!(strict, "{name}");
    }
    if let Some(etag) = head.headers.get(header::ETAG) {
        last.etag = etag.to_str().expect("a tag is ASCII").to_owned();
        last.revision = last.etag.trim_matches('"').split('-').next().unwrap_or_default().to_owned();
    }
    // A repeat by its idempotency key says what was, not what is.
    if method == Method::PUT && head.status.is_success() && !headers.contains_key("idempotency-key") {
        let path: Uri = uri.path().parse().expect("a path is a URI");
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let read = router.clone().oneshot(request).await.expect("it answers always");
        assert_eq!(read.status(), StatusCode::OK, "{name}");
        assert_eq!(read.headers()[header::ETAG], head.headers[header::ETAG], "{name}");
        let content = to_bytes(read.into_body(), 64 << 20).await.expect("a body in memory");
        assert_eq!(content, sent, "{name}");
    }
}

fn problem(body: &[u8], status: StatusCode, name: &str) {
    let problem: serde_json::Value = serde_json::from_slice(body).expect("a problem document");
    assert_eq!(problem["status"], status.as_u16(), "{name}");
    let kind = ProblemKind::ALL.into_iter().find(|kind| problem["type"] == kind.reference());
    assert!(kind.is_some(), "{name}: {problem}");
    assert_ne!(problem["detail"], "", "{name}");
}

impl Asked {
    /// `None` if it is no HTTP.
    fn request(&self, last: &Last) -> Option<Request<Body>> {
        let mut target = self.place.path();
        for (index, (parameter, text)) in self.query.iter().take(6).enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(parameter.name());
            target.push('=');
            target.push_str(&String::from_utf8_lossy(&text.bytes(last)));
        }
        let uri: Uri = target.parse().ok()?;
        if !uri.path().starts_with('/') {
            return None;
        }
        let mut request = Request::builder().method(self.method.method()).uri(uri);
        for (field, text) in self.fields.iter().take(8) {
            request = request.header(field.name(), HeaderValue::from_bytes(&text.bytes(last)).ok()?);
        }
        request.body(Body::from(self.body.bytes(last))).ok()
    }
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Put => Method::PUT,
            Self::Post => Method::POST,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
            Self::Options => Method::OPTIONS,
        }
    }
}

fn key(number: u8) -> String {
    format!("{}/{}", number % 2, number / 2 % 4)
}

impl Place {
    fn path(&self) -> String {
        match self {
            Self::Key(number) => format!("/v1/kv/{}", key(*number)),
            Self::Encoded(text) => {
                text.bytes().fold("/v1/kv/".to_owned(), |path, byte| format!("{path}%{byte:02x}"))
            }
            Self::Raw(text) => format!("/{text}"),
            Self::Collection => "/v1/kv".to_owned(),
            Self::History(number) => format!("/v1/history/{}", key(*number)),
            Self::Txn => "/v1/txn".to_owned(),
            Self::Watch => "/v1/watch".to_owned(),
            Self::Problem(text) => format!("/problems/{text}"),
            Self::Description => "/openapi.json".to_owned(),
            Self::Metrics => "/metrics".to_owned(),
        }
    }
}

impl Parameter {
    fn name(self) -> &'static str {
        match self {
            Self::At => "at",
            Self::Wait => "wait",
            Self::After => "after",
            Self::Revision => "revision",
            Self::UnlessPrefix => "unless-prefix",
            Self::Prefix => "prefix",
            Self::Limit => "limit",
            Self::Cursor => "cursor",
            Self::Since => "since",
            Self::Unknown => "unknown",
        }
    }
}

impl Field {
    fn name(self) -> HeaderName {
        match self {
            Self::IfMatch => header::IF_MATCH,
            Self::IfNoneMatch => header::IF_NONE_MATCH,
            Self::IfModifiedSince => header::IF_MODIFIED_SINCE,
            Self::IfUnmodifiedSince => header::IF_UNMODIFIED_SINCE,
            Self::Prefer => HeaderName::from_static("prefer"),
            Self::IdempotencyKey => HeaderName::from_static("idempotency-key"),
            Self::LastEventId => HeaderName::from_static("last-event-id"),
            Self::ContentType => header::CONTENT_TYPE,
            Self::ContentEncoding => header::CONTENT_ENCODING,
            Self::ContentRange => header::CONTENT_RANGE,
            Self::Accept => header::ACCEPT,
        }
    }
}

impl Text {
    fn bytes(&self, last: &Last) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::CurrentTag => last.etag.clone().into(),
            Self::WeakTag => format!("W/{}", last.etag).into(),
            Self::CurrentRevision => last.revision.clone().into(),
            Self::Star => b"*".to_vec(),
            Self::Number(number) => number.to_string().into(),
            Self::Json => b"application/json".to_vec(),
            Self::MergePatch => b"application/merge-patch+json".to_vec(),
            Self::JsonPatch => b"application/json-patch+json".to_vec(),
            Self::Representation => b"return=representation".to_vec(),
            Self::Seconds(seconds) => format!("{seconds}s").into(),
            Self::Date => b"Sun, 06 Nov 2044 08:49:37 GMT".to_vec(),
        }
    }
}

impl Content {
    fn bytes(&self, last: &Last) -> Vec<u8> {
        let json = match self {
            Self::Raw(bytes) => return bytes.clone(),
            Self::Create(number, text) => serde_json::json!({"key": key(*number), "value": text}),
            Self::Write { key: of, required, other, text } => {
                let require = match required % 5 {
                    0 => serde_json::json!([]),
                    1 => serde_json::json!([{"key": key(*other), "absent": true}]),
                    2 => serde_json::json!([{"key": key(*other), "present": true}]),
                    3 => serde_json::json!([{"prefix": "0/", "empty": true}]),
                    _ => serde_json::json!([{"key": key(*other), "revision": last.revision.parse::<u64>().unwrap_or(1)}]),
                };
                let operations = serde_json::json!([{"put": key(*of), "value": text}, {"delete": key(*other)}]);
                serde_json::json!({"require": require, "operations": operations})
            }
            Self::Operation { op, path, from, number } => {
                let op = ["add", "remove", "replace", "move", "copy", "test"][usize::from(*op) % 6];
                serde_json::json!([{"op": op, "path": path, "from": from, "value": number}])
            }
            Self::Member(name, number) => serde_json::json!({ name.as_str(): number }),
        };
        json.to_string().into()
    }
}
