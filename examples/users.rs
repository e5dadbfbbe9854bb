//! An application of its own on the crate's parts: users with unique names, profiles that two people edit at once, teams
//! that are not deleted while they have members.
//!
//!     cargo run --example users --features http [DIRECTORY]
//!
//!     POST   /users                 {"name": "ada", "email": "ada@example.org"}   201, or 409 if the name is taken
//!     GET    /users/{name}                                                        200 with an ETag, 304, 404
//!     PUT    /users/{name}          {"email": ..} with If-Match                   204, or 409 with the current revision
//!     PUT    /teams/{team}          "The Reds"                                    201, 204, or 409
//!     PUT    /teams/{team}/{name}   "captain"                                     204, 404, or 409 if the team is full
//!     DELETE /teams/{team}                                                        204, or 409 with the members
//!
//! Bad input is 400. Everything asks for a token: `Authorization: Bearer let-me-in-1234567`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use axum::{Router, serve};
use serde::{Deserialize, Serialize};

use ifmatch::http::{
    Guard, JsonBody, NoRead, Problem, ProblemKind, Saved, VersionedJson, authenticate,
    problem_pages,
};
use ifmatch::{Store, Txn};

#[derive(Clone, Default)]
pub(crate) struct Club {
    pub(crate) users: Store<String, Profile>,
    /// `red` is the title of a team, `red/ada` what Ada is in it.
    pub(crate) teams: Store<String, String>,
}

#[derive(Serialize, Deserialize)]
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

pub(crate) fn app(club: Club) -> Router {
    Router::new()
        .route("/users", post(register))
        .route("/users/{name}", get(show).put(edit))
        .route("/teams/{team}", put(title).delete(disband))
        .route("/teams/{team}/{name}", put(join))
        .layer(from_fn_with_state(
            "let-me-in-1234567".parse().expect("it is a token"),
            authenticate,
        ))
        .merge(problem_pages())
        .with_state(club)
}

async fn register(
    State(Club { users, .. }): State<Club>,
    JsonBody(NewUser { name, profile }): JsonBody<NewUser>,
) -> Result<Saved, Problem> {
    check_name(&name)?;
    check_profile(&profile)?;
    let path = format!("/users/{name}");
    let saved = Guard::absent().put(&users, name, profile).await;
    Ok(saved.map_err(|taken| taken.with_link(&path))?.at(&path))
}

async fn show(
    State(Club { users, .. }): State<Club>,
    Path(name): Path<String>,
    guard: Guard,
) -> Result<VersionedJson<Profile>, NoRead> {
    guard.read(&users, name).await
}

async fn edit(
    State(Club { users, .. }): State<Club>,
    Path(name): Path<String>,
    guard: Guard,
    JsonBody(profile): JsonBody<Profile>,
) -> Result<Saved, Problem> {
    check_profile(&profile)?;
    let path = format!("/users/{name}");
    guard.replace(&users, name, profile).await.map_err(|stale| stale.with_link(path))
}

async fn title(
    State(Club { teams, .. }): State<Club>,
    Path(team): Path<String>,
    guard: Guard,
    JsonBody(title): JsonBody<String>,
) -> Result<Saved, Problem> {
    check_name(&team)?;
    guard.put(&teams, team, title).await
}

/// A rule over many keys: what it reads is unchanged when it commits, or it runs again.
async fn join(
    State(Club { users, teams }): State<Club>,
    Path((team, name)): Path<(String, String)>,
    JsonBody(role): JsonBody<String>,
) -> Result<StatusCode, Problem> {
    if !users.contains(&name) {
        return Err(Problem::not_found(name));
    }
    let joined = move || {
        teams.transact(|team_and_members| {
            if team_and_members.get(&team)?.is_none() {
                return Err(Problem::not_found(&team).into());
            }
            if team_and_members.prefix(format!("{team}/"))?.len() >= 8 {
                return Err(Problem::rule("a team has at most 8 members").with_key(&team).into());
            }
            team_and_members.put(format!("{team}/{name}"), role.clone());
            Ok(())
        })
    };
    // A transaction in a closure waits for the disk, which no thread of the runtime should.
    tokio::task::spawn_blocking(joined).await.expect("it does not panic")?;
    Ok(StatusCode::NO_CONTENT)
}

/// However somebody comes to join meanwhile: the team is deleted without members, or not at all.
async fn disband(
    State(Club { teams, .. }): State<Club>,
    Path(team): Path<String>,
) -> Result<StatusCode, Problem> {
    if !teams.contains(&team) {
        return Err(Problem::not_found(team));
    }
    teams.submit(Txn::new().require_none_under(format!("{team}/")).delete(team)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_name(name: &str) -> Result<(), Problem> {
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    if valid { Ok(()) } else { Err(invalid("a name is made of the letters a to z")) }
}

fn check_profile(profile: &Profile) -> Result<(), Problem> {
    if profile.email.contains('@') { Ok(()) } else { Err(invalid("an email has an @")) }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemKind::InvalidBody, detail)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let club = match std::env::args().nth(1).map(std::path::PathBuf::from) {
        Some(directory) => Club {
            users: Store::builder().open(directory.join("users"))?,
            teams: Store::builder().open(directory.join("teams"))?,
        },
        None => Club::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:4091").await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app(club)).await?;
    Ok(())
}
