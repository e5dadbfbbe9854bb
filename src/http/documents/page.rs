//! The page to look at a store with: one document that needs nothing but the API beside it.
//!
//! Its sources are the files of `page/`: modules that import one another by name. They are put together here, so that one
//! answer is all of it, wherever the router is mounted. Its Content-Security-Policy lets exactly that script and that
//! style run, and nothing else be loaded or sent elsewhere.

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/page.css");

/// The modules, each after those that it imports from.
const MODULES: [&str; 15] = [
    include_str!("page/json.js"),
    include_str!("page/merge.js"),
    include_str!("page/diff.js"),
    include_str!("page/dom.js"),
    include_str!("page/ask.js"),
    include_str!("page/entry.js"),
    include_str!("page/api.js"),
    include_str!("page/watch.js"),
    include_str!("page/list.js"),
    include_str!("page/content.js"),
    include_str!("page/view.js"),
    include_str!("page/saving.js"),
    include_str!("page/plan.js"),
    include_str!("page/editor.js"),
    include_str!("page/conflict.js"),
];

/// What starts it all.
const START: &str = include_str!("page/page.js");

struct Page {
    html: String,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let script = script();
    let html = FRAME.replacen("/*STYLE*/", STYLE, 1).replacen("/*SCRIPT*/", &script, 1);
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(&script),
        hash(STYLE),
    );
    let policy = HeaderValue::try_from(policy).expect("it is ASCII");
    Page { html, policy }
});

/// All modules as one: their names are unique, so that what they export is there, and nothing needs to be imported.
fn script() -> String {
    let lines = MODULES.iter().chain([&START]).flat_map(|module| module.lines());
    let mut script = String::new();
    for line in lines.filter(|line| !line.starts_with("import ")) {
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script
}

/// The source expression of a policy (CSP 3, section 2.3.1) that stands for this text.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// `GET /`.
pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, PAGE.policy.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    (headers, PAGE.html.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::json::Json;
    use crate::merge::{Choice, merge};

    /// The page has a merge of its own, in JavaScript, whose tests read the same cases: both do the same.
    #[test]
    fn the_crate_merges_as_the_page_does() {
        #[derive(serde::Deserialize)]
        struct Case {
            name: String,
            base: Option<String>,
            mine: String,
            theirs: String,
            clashes: Vec<String>,
            with_mine: String,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../tests/merge_cases.json")).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let json = |text: &str| text.parse::<Json>().unwrap();
            let base = case.base.as_deref().map(json);
            let merged = merge(base.as_ref(), &json(&case.mine), &json(&case.theirs));
            let clashes: Vec<_> =
                merged.clashes().iter().map(|clash| clash.pointer().to_string()).collect();
            assert_eq!(clashes, case.clashes, "{}", case.name);
            let document = merged.resolve(|_| Choice::Mine).to_string();
            assert_eq!(document, case.with_mine, "{}", case.name);
        }
    }

    #[test]
    fn the_page_is_whole_and_needs_nothing_else() {
        let html = &PAGE.html;
        for absent in ["/*STYLE*/", "/*SCRIPT*/", "\nimport ", "\nexport ", "http://", "https://"] {
            let place = html.replace("http://www.w3.org/2000/svg", "").find(absent);
            assert_eq!(place, None, "{absent:?}");
        }
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</script").count(), 1, "nothing ends the script but its end");
        assert!(!html.contains(" style=") && !html.contains(" onclick="), "the policy forbids it");
    }

    #[test]
    fn a_name_is_declared_once_in_all_modules() {
        let script = script();
        let mut names = HashSet::new();
        for line in script.lines() {
            let words: Vec<_> = line
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .filter(|word| *word != "async")
                .collect();
            if let ["const" | "let" | "function" | "class", name, ..] = words.as_slice() {
                assert!(names.insert(*name), "{name}");
            }
        }
        assert!(names.contains("mergeJson") && names.len() > 50);
    }

    #[test]
    fn nothing_writes_markup() {
        let script = script();
        for way in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"]
        {
            assert!(!script.contains(way), "{way}");
        }
    }

    #[tokio::test]
    async fn only_the_script_and_the_style_of_the_page_may_run() {
        let response = page().await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        for directive in ["frame-ancestors 'none'", "base-uri 'none'", "connect-src 'self'"] {
            assert!(policy.contains(directive), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let between = |begin: &str, end: &str| {
            let rest = PAGE.html.split_once(begin).unwrap().1;
            hash(rest.split_once(end).unwrap().0)
        };
        assert!(policy.contains(&between("<script type=\"module\">", "</script>")));
        assert!(policy.contains(&between("<style>", "</style>")));
    }
}
