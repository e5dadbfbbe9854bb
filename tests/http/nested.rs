//! The router inside of another application, under a prefix, behind that application's authentication.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ifmatch::http::{Caller, Options, documents, problem_pages, router};

use crate::support::{Headers, Server};

/// The application's own: who is logged in, and that guests only look.
async fn log_in(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    let Some(user) = user.map(str::to_owned) else {
        return (StatusCode::UNAUTHORIZED, "the application asks you to log in").into_response();
    };
    request.extensions_mut().insert(Caller::new(&user).may_write_if(user != "guest"));
    next.run(request).await
}

fn application() -> Router {
    let api = router(documents().history(10).build(), Options::default());
    Router::new()
        .route("/", get(|| async { "the application" }))
        .nest("/api", api.layer(from_fn(log_in)))
        .merge(problem_pages())
}

const ADA: Headers<'_> = &[("x-user", "ada")];
const GUEST: Headers<'_> = &[("x-user", "guest")];

#[test]
fn the_applications_authentication_guards_every_route_and_its_callers_are_held_to_what_they_may() {
    let server = Server::of(application(), Default::default());
    let client = server.client();
    assert_eq!(client.get("/", &[]).expect(200).text(), "the application");
    for path in ["/api", "/api/v1/kv", "/api/v1/kv/a", "/api/openapi.json", "/api/metrics"] {
        assert_eq!(client.get(path, &[]).expect(401).text(), "the application asks you to log in");
    }
    client.put("/api/v1/kv/a", GUEST, "1").problem(403, "forbidden");
    client.put("/api/v1/kv/a", ADA, "1").expect(201);
    assert_eq!(client.get("/api/v1/kv/a", GUEST).expect(200).text(), "1");
}

#[test]
fn everything_that_it_links_to_is_there() {
    let server = Server::of(application(), Default::default());
    let client = server.client();
    let created = client.put("/api/v1/kv/teams/a%20b", ADA, "1").expect(201);
    let location = created.header("location").unwrap();
    assert_eq!(location, "/api/v1/kv/teams/a%20b");
    client.put(location, ADA, "2").expect(204);

    let stale = format!("{location}?revision={}", created.revision());
    let problem = client.put(&stale, ADA, "3").problem(409, "stale-revision");
    let links = problem["links"].as_object().unwrap();
    assert_eq!(links.len(), 3, "{links:?}");
    for link in links.values() {
        client.get(link.as_str().unwrap(), ADA).expect(200);
    }
    let base = client.get(links["base"].as_str().unwrap(), ADA);
    assert_eq!(base.text(), "1");
    // A type is the same wherever the router is: the application has the pages at its root.
    client.get(problem["type"].as_str().unwrap(), &[]).expect(200);

    client.put("/api/v1/kv/teams/b", ADA, "1").expect(201);
    let page = client.get("/api/v1/kv?limit=1", ADA).json();
    let next = format!("/api/v1/kv?limit=1&cursor={}", page["next"].as_str().unwrap());
    assert_eq!(client.get(&next, ADA).json()["items"][0]["key"], "teams/b");
    assert!(client.get("/api", ADA).expect(200).text().contains("<html"));
    assert_eq!(client.get("/api/openapi.json", ADA).json()["servers"][0]["url"], "/api");
}
