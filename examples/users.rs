//! An application of its own on the crate's parts: users with unique names, and profiles that two people edit at once.
//!
//!     cargo run --example users --features http [DIRECTORY]
//!
//!     POST /users         {"name": "ada", "email": "ada@example.org"}    201, or 409 if the name is taken
//!     GET  /users/{name}                                                 200 with an ETag, 304, 404
//!     PUT  /users/{name}  {"email": ..} with If-Match                    204, or 409 with the current revision

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use serde::{Deserialize, Serialize};

use ifmatch::http::{ETag, Guard, Problem, ProblemKind, VersionedJson};
use ifmatch::{Precondition, Store};

pub(crate) type Users = Store<String, Profile>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    email: String,
    about: Option<String>,
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    #[serde(flatten)]
    profile: Profile,
}

pub(crate) fn app(users: Users) -> Router {
    Router::new()
        .route("/users", post(register))
        .route("/users/{name}", get(show).put(edit))
        .with_state(users)
}

async fn register(
    State(users): State<Users>,
    body: Result<Json<NewUser>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(NewUser { name, profile }) = body.map_err(unreadable)?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(invalid("a name is made of the letters a to z"));
    }
    let profile = valid(profile)?;
    let path = format!("/users/{name}");
    let written = users
        .submit_put_if(name, profile, Precondition::Absent)
        .await
        .map_err(|taken| Problem::from(taken).with_link(&path))?;
    let etag = ETag::new(users.identity(), written.revision());
    Ok((StatusCode::CREATED, etag, [(header::LOCATION, path)]).into_response())
}

async fn show(
    State(users): State<Users>,
    Path(name): Path<String>,
    guard: Guard,
) -> Result<VersionedJson<Profile>, Response> {
    let profile = users.get(&name).ok_or_else(|| Problem::not_found(&name).into_response())?;
    guard
        .check_read(users.identity(), profile.revision())
        .map_err(|no_read| no_read.with_key(&name).into_response())?;
    Ok(VersionedJson::new(users.identity(), profile))
}

async fn edit(
    State(users): State<Users>,
    Path(name): Path<String>,
    guard: Guard,
    body: Result<Json<Profile>, JsonRejection>,
) -> Result<(StatusCode, ETag), Problem> {
    let Json(profile) = body.map_err(unreadable)?;
    let profile = valid(profile)?;
    if !users.contains(&name) {
        return Err(Problem::not_found(name));
    }
    let path = format!("/users/{name}");
    let written = guard.put(&users, name, profile).await.map_err(|stale| stale.with_link(path))?;
    Ok((StatusCode::NO_CONTENT, ETag::new(users.identity(), written.revision())))
}

fn valid(profile: Profile) -> Result<Profile, Problem> {
    if profile.email.contains('@') { Ok(profile) } else { Err(invalid("an email has an @")) }
}

/// Bad JSON is 400, without saying so it is 415, too long 413.
fn unreadable(rejection: JsonRejection) -> Problem {
    let status = match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    invalid(rejection.body_text()).with_status(status)
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::InvalidBody, detail)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let users = match std::env::args().nth(1) {
        Some(directory) => Store::builder().open(directory)?,
        None => Store::new(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:4091").await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app(users)).await?;
    Ok(())
}
