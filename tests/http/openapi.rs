//! The OpenAPI document against the routes.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use ifmatch::http::{
    Caller, Options, PreconditionStatus, ProblemKind, ServeOptions, documents, router,
};
use serde_json::Value;

use super::support::Server;

const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE"];

fn document_of(options: Options) -> Value {
    let server = Server::over(documents().build(), options);
    server.client().get("/openapi.json", &[]).expect(200).json()
}

/// The methods of a path in the document, in capitals.
fn methods(item: &Value) -> BTreeSet<String> {
    item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect()
}

/// Every string under a member `$ref`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("$ref", Value::String(reference)) => drop(found.insert(reference.clone())),
                    _ => references(member, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
        _ => {}
    }
}

#[test]
fn what_is_described_is_served_and_what_is_served_is_described() {
    let server = Server::new();
    let client = server.client();
    let document = client.get("/openapi.json", &[]).expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{key}", "some%2Fkey").replace("{slug}", "in-use");
        // A watch ends at once if it begins with what is not there.
        let query = if path == "/v1/watch" { "?since=9007199254740991" } else { "" };
        let described = methods(item);
        for method in METHODS {
            let answer = client.request(method, &format!("{path}{query}"));
            if described.contains(method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                if answer.status == 404 && method != "HEAD" {
                    answer.problem(404, "not-found");
                }
                let status = answer.status.to_string();
                let declared = &item[method.to_lowercase()]["responses"];
                assert!(declared.get(&status).is_some(), "{status} of {method} {path}");
            } else {
                if method == "HEAD" {
                    assert_eq!(answer.status, 405, "{method} {path}");
                } else {
                    answer.problem(405, "method-not-allowed");
                }
                let allow = answer.header("allow").unwrap().split(", ").map(str::to_owned);
                assert_eq!(allow.collect::<BTreeSet<_>>(), described, "Allow of {path}");
            }
        }
    }
    for path in ["/v1", "/v1/", "/v1/kvx", "/v1/txn/", "/problems", "/openapi", "/metrics/"] {
        client.get(path, &[]).problem(404, "no-such-route");
    }
}

#[test]
fn all_that_the_document_refers_to_is_there_and_all_that_is_there_is_referred_to() {
    let document = document_of(Options::default());
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for part in ["parameters", "headers"] {
        for name in document["components"][part].as_object().unwrap().keys() {
            let start = format!("#/components/{part}/{name}");
            assert!(found.iter().any(|reference| reference.starts_with(&start)), "{start}");
        }
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for kind in ProblemKind::ALL {
        let schema = &schemas[&format!("problem-{}", kind.slug())];
        assert_eq!(schema["properties"]["type"]["const"], kind.reference());
    }
    let ids: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

#[test]
fn the_document_declares_the_statuses_of_the_servers_own_mode() {
    let declares = |document: &Value, method: &str, status: &str| {
        document["paths"]["/v1/kv/{key}"][method]["responses"].get(status).is_some()
    };
    let document = document_of(Options::default());
    for method in ["put", "patch", "delete"] {
        assert!(declares(&document, method, "409") && !declares(&document, method, "412"));
        assert!(!declares(&document, method, "428"));
    }
    assert!(declares(&document, "get", "412") && !declares(&document, "get", "409"));
    let strict = PreconditionStatus::PreconditionFailed;
    let options = Options::default().precondition_status(strict).require_preconditions(true);
    let document = document_of(options);
    for method in ["put", "patch", "delete"] {
        for status in ["409", "412", "428"] {
            assert!(declares(&document, method, status), "{status} of {method}");
        }
    }
}

#[test]
fn the_document_of_a_nested_router_names_where_it_is() {
    let nested = Router::new().nest("/api", router(documents().build(), Options::default()));
    let server = Server::of(nested, ServeOptions::default());
    let document = server.client().get("/api/openapi.json", &[]).expect(200).json();
    assert_eq!(document["servers"][0]["url"], "/api");
    assert_eq!(document_of(Options::default())["servers"][0]["url"], "/");
}

#[test]
fn every_kind_of_problem_has_a_page_as_text_and_as_html() {
    let server = Server::new();
    let client = server.client();
    let html = [("accept", "text/html, */*;q=0.8")];
    let list = client.get("/problems/", &[]).expect(200);
    let links = client.get("/problems/", &html).expect(200);
    for kind in ProblemKind::ALL {
        let page = client.get(&kind.reference(), &[]).expect(200);
        assert_eq!(page.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(page.text().starts_with(kind.title()) && page.text().contains(kind.advice()));
        let example = page.text().split_once("For example:").unwrap().1;
        let example: Value = serde_json::from_str(example).unwrap();
        assert_eq!(example["type"], kind.reference());
        let page = client.get(&kind.reference(), &html).expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(page.text().contains(&format!("<h1>{}</h1>", kind.title())), "{}", page.text());
        assert!(list.text().contains(&kind.reference()), "{}", kind.slug());
        assert!(links.text().contains(&format!("href=\"./{}\"", kind.slug())), "{}", kind.slug());
    }
    for slug in ["", "none", "In-Use", "in-use/", "%ff", "<b>"] {
        let path = format!("/problems/{slug}");
        if !slug.is_empty() && slug != "<b>" {
            client.get(&path, &[]).problem(404, "no-such-route");
        }
    }
}

#[test]
fn whoever_may_not_read_still_sees_what_says_nothing_of_what_is_stored() {
    let blind = |mut request: Request, next: Next| async move {
        request.extensions_mut().insert(Caller::new("writer").may_read_if(false));
        next.run(request).await
    };
    let router = router(documents().build(), Options::default()).layer(from_fn(blind));
    let server = Server::of(router, ServeOptions::default());
    let client = server.client();
    for path in ["/healthz", "/readyz", "/openapi.json", "/problems/", "/problems/in-use"] {
        client.get(path, &[]).expect(200);
    }
    for path in ["/v1/kv", "/v1/kv/a", "/v1/history/a", "/v1/watch", "/metrics"] {
        client.get(path, &[]).problem(403, "forbidden");
    }
}
