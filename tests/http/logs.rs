//! What the command logs, and what it never does.

use serde_json::Value;

use crate::command::{Process, fails};

const TOKEN: &str = "token-of-an-application";

/// What a server logs that was started so, after some requests with secrets in them.
fn log(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let tokens = directory.path().join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let mut all = vec!["--auth-token-file", tokens.to_str().unwrap()];
    all.extend(arguments);
    let process = Process::start_with(&all, environment);
    let client = process.client();
    let bearer = format!("Bearer {TOKEN}");
    let known = [("authorization", &*bearer)];
    client.put("/v1/kv/a/b", &known, "secret-value").expect(201);
    client.get("/v1/kv/a/b", &known).expect(200);
    let stale = [("authorization", &*bearer), ("if-match", "\"secret-tag\"")];
    client.put("/v1/kv/a/b", &stale, "secret-value").problem(409, "stale-revision");
    client.put("/v1/kv/a/b?revision=secret-query", &known, "1").problem(400, "invalid-query");
    client.get("/v1/kv/a", &[("authorization", "Bearer wrong-secret-token")]).expect(401);
    process.signal("TERM");
    let (status, out, err) = process.ended();
    assert!(status.success() && out.is_empty());
    for secret in ["secret", TOKEN] {
        assert!(!err.contains(secret), "{secret}: {err}");
    }
    err
}

#[cfg(unix)]
#[test]
fn in_json_each_line_is_an_object_and_a_conflict_is_information() {
    let err = log(&["--log", "json"], &[("IFMATCH_LOG", "debug")]);
    let lines: Vec<Value> = err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let requests: Vec<&Value> =
        lines.iter().filter(|line| line["target"] == "ifmatch::request").collect();
    let told: Vec<_> = requests
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("level"), text("method"), text("path"), line["status"].as_u64(), text("problem"))
        })
        .collect();
    let expected = [
        ("DEBUG", "PUT", "/v1/kv/a/b", 201, ""),
        ("DEBUG", "GET", "/v1/kv/a/b", 200, ""),
        ("INFO", "PUT", "/v1/kv/a/b", 409, "stale-revision"),
        ("DEBUG", "PUT", "/v1/kv/a/b", 400, "invalid-query"),
        ("INFO", "GET", "/v1/kv/a", 401, "unauthorized"),
    ]
    .map(|(level, method, path, status, problem)| {
        (level.to_owned(), method.to_owned(), path.to_owned(), Some(status), problem.to_owned())
    });
    assert_eq!(told, expected);
    assert!(requests.iter().all(|line| line["elapsed_us"].as_u64().is_some()));
    assert_eq!(requests[0]["caller"], requests[2]["caller"]);
    assert_eq!(requests[0]["caller"].as_str().unwrap().len(), 8);
    assert_eq!(requests[4]["caller"], "anonymous");
}

#[cfg(unix)]
#[test]
fn text_has_conflicts_and_refusals_unless_the_filter_says_otherwise() {
    let requests = |err: &str| err.lines().filter(|line| line.contains("ifmatch::request")).count();
    let usual = log(&["--log", "text"], &[]);
    assert_eq!(requests(&usual), 2, "{usual}");
    assert!(usual.contains("status=409") && usual.contains("status=401"), "{usual}");
    assert_eq!(requests(&log(&["--log", "text"], &[("IFMATCH_LOG", "error")])), 0);
    assert_eq!(requests(&log(&[], &[("IFMATCH_LOG", "debug")])), 5);
    assert_eq!(requests(&log(&[], &[])), 0, "nobody asked");
}

/// Those beneath it tell of each frame of each connection.
#[cfg(unix)]
#[test]
fn a_level_alone_is_of_what_this_crate_logs() {
    for (filter, tells_of_others) in [("debug", false), ("debug,h2=debug", true)] {
        let process = Process::start_with(&["--log", "json"], &[("IFMATCH_LOG", filter)]);
        let uri = format!("http://{}/healthz", process.address);
        assert_eq!(crate::support::http2(process.address, &uri), 200);
        process.signal("TERM");
        let (_, _, err) = process.ended();
        let targets: Vec<String> = err
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["target"].to_string())
            .collect();
        assert!(targets.contains(&"\"ifmatch::request\"".to_owned()), "{err}");
        let ours = targets.iter().filter(|target| target.starts_with("\"ifmatch")).count();
        assert_eq!(ours < targets.len(), tells_of_others, "{filter}: {targets:?}");
    }
}

#[test]
fn an_unknown_form_is_one_line() {
    let line = fails(&["serve", "--log", "xml"]);
    assert!(line.contains("--log"), "{line}");
}
