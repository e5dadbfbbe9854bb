//! edit, with scripts in place of an editor. A script that calls the command itself is the other person.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::{Output, Server, answer, problem, run, script, scripted, signal};

const ANN: &str = r#"{"name":"Ann","email":"a@old","age":30.0}"#;

fn server() -> Server {
    let server = Server::start(&[]);
    server.ok(&["put", "users/ann", ANN]);
    server
}

fn edit(server: &Server, editor: &str, flags: &[&str], stdin: &str) -> Output {
    script(&server.path("editor"), editor);
    let mut command = server.command(&["edit", "users/ann"]);
    command.args(flags).env("EDITOR", server.path("editor"));
    run(&mut command, stdin.as_bytes())
}

/// The file that is named in the line as kept.
fn kept(line: &str) -> PathBuf {
    PathBuf::from(line.rsplit_once("is kept in ").unwrap_or_else(|| panic!("{line}")).1.trim())
}

#[test]
fn an_edit_writes_in_the_layout_of_what_was_there() {
    let server = server();
    let editor = "case $1 in *.json) ;; *) exit 1;; esac\ngrep -qx '  \"age\": 30.0' $1\nsed -i s/Ann/Anna/ $1";
    let tag = edit(&server, editor, &[], "").ok();
    assert_eq!(server.ok(&["get", "users/ann"]), ANN.replace("Ann", "Anna"));
    assert!(server.ok(&["get", "-i", "users/ann"]).contains(tag.trim()));
    server.ok(&["put", "users/ann", "{ \"a\":1,\n\"b\" : 2 }\n"]);
    edit(&server, "sed -i s/2/3/ $1", &["--json"], "").ok();
    assert_eq!(server.ok(&["get", "users/ann"]), "{ \"a\":1,\n\"b\" : 3 }\n");
    server.ok(&["put", "users/ann", "text", "-t", "text/markdown"]);
    edit(&server, "case $1 in *.md) ;; *) exit 1;; esac\nprintf more > $1", &[], "").ok();
    assert_eq!(server.ok(&["get", "users/ann"]), "more");
    assert!(server.left().is_empty());
}

#[test]
fn what_is_unchanged_is_not_written() {
    let server = server();
    let before = server.ok(&["list"]);
    for editor in
        ["true", "printf '%s' '{\"name\": \"Ann\", \"email\": \"a@old\", \"age\":30.0}' > $1"]
    {
        let output = edit(&server, editor, &[], "");
        assert!(output.err.contains("unchanged"), "{output:?}");
        assert_eq!(output.ok(), "");
    }
    assert_eq!(edit(&server, "true", &["--json"], "").json_lines()[0]["written"], false);
    assert_eq!(server.ok(&["list"]), before);
    assert!(server.left().is_empty());
}

#[test]
fn the_editor_may_have_arguments_and_visual_comes_first() {
    let server = server();
    let mut command = server.command(&["edit", "users/ann"]);
    command.env("VISUAL", "sed -i -e 's/Ann/An n/'").env("EDITOR", "false");
    run(&mut command, b"").ok();
    assert!(server.ok(&["get", "users/ann"]).contains("An n"));
}

#[test]
fn an_editor_that_fails_writes_nothing_and_keeps_the_text() {
    let server = server();
    let line = edit(&server, "sed -i s/Ann/Anna/ $1; exit 3", &[], "").fails(1);
    assert!(fs::read_to_string(kept(&line)).unwrap().contains("Anna"));
    assert_eq!(server.ok(&["get", "users/ann"]), ANN);
    assert!(!edit(&server, "exit 3", &[], "").fails(1).contains("kept"));
    assert_eq!(server.left().len(), 1);
    let mut command = server.command(&["edit", "users/ann"]);
    run(command.env("EDITOR", "/none"), b"").fails(1);
    let mut command = server.command(&["edit", "users/ann"]);
    run(command.env("EDITOR", "'"), b"").fails(2);
}

#[test]
fn invalid_json_is_edited_again_with_the_text_as_it_was() {
    let server = server();
    let editor =
        "if grep -q Anna $1; then sed -i s/BAD// $1; else sed -i 's/\"Ann\"/\"Anna\" BAD/' $1; fi";
    let output = edit(&server, editor, &[], "y\n");
    assert!(output.err.contains("not JSON") && output.err.contains("Edit again?"), "{output:?}");
    output.ok();
    assert_eq!(server.ok(&["get", "users/ann"]), ANN.replace("Ann", "Anna"));
    for stdin in ["n\n", ""] {
        let output = edit(&server, "echo BAD > $1", &[], stdin);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert_eq!(fs::read_to_string(kept(&output.err)).unwrap(), "BAD\n");
    }
    assert_eq!(server.ok(&["get", "users/ann"]), ANN.replace("Ann", "Anna"));
}

const OTHER: &str = r#"$IFMATCH put users/ann '{"name":"Ann","email":"a@theirs","age":30.0}' -q"#;

#[test]
fn two_edits_of_different_fields_are_both_there() {
    let merged = r#"{"name":"Anna","email":"a@theirs","age":30.0}"#;
    let cases: [(&[&str], &str); 3] = [(&["--yes"], ""), (&[], "y\n"), (&[], "e\n")];
    for (flags, stdin) in cases {
        let server = server();
        let editor = format!("{OTHER} >&2\nsed -i 's/\"Ann\"/\"Anna\"/' $1");
        // In the last case the editor is opened again, and the other person writes again.
        let editor = format!("if [ -e done ]; then exit 0; fi\ntouch done\n{editor}");
        let output = edit(&server, &editor, flags, stdin);
        assert!(output.err.contains("merged with your changes"), "{output:?}");
        output.ok();
        assert_eq!(server.ok(&["get", "users/ann"]), merged);
        assert!(server.left().is_empty());
    }
}

#[test]
fn a_merge_that_is_declined_is_a_conflict_and_keeps_the_text() {
    let server = server();
    for stdin in ["n\n", ""] {
        server.ok(&["put", "users/ann", ANN]);
        let output = edit(&server, &format!("{OTHER} >&2\nsed -i s/Ann/Anna/ $1"), &[], stdin);
        assert_eq!(output.code, Some(3), "{output:?}");
        assert!(fs::read_to_string(kept(&output.err)).unwrap().contains("Anna"));
        assert!(server.ok(&["get", "users/ann"]).contains("\"Ann\",\"email\":\"a@theirs\""));
    }
}

#[test]
fn two_edits_of_the_same_field_are_decided_by_a_person() {
    let server = server();
    let editor = format!(
        "if grep -q CLASH $1; then cp $1 seen; sed -i -e '/^\\/\\//d' -e s/a@mine/a@both/ $1\n\
         else {OTHER} >&2; sed -i -e s/a@old/a@mine/ -e s/Ann/Anna/ $1; fi"
    );
    let output = edit(&server, &editor, &[], "");
    assert!(
        output.err.contains("/email: base \"a@old\", mine \"a@mine\", theirs \"a@theirs\""),
        "{output:?}"
    );
    output.ok();
    assert_eq!(server.ok(&["get", "users/ann"]), r#"{"name":"Anna","email":"a@both","age":30.0}"#);
    let seen = fs::read_to_string(server.path("seen")).unwrap();
    let clash = "// CLASH /email\n//   base:   \"a@old\"\n//   mine:   \"a@mine\"\n//   theirs: \"a@theirs\"\n";
    assert!(seen.contains(clash), "{seen}");
    assert!(server.left().is_empty());
}

#[test]
fn a_clash_that_is_not_decided_overwrites_nobody_and_keeps_the_text() {
    // The editor is closed at once; it is saved with the clash still in it.
    for second in ["true", "echo >> $1"] {
        let server = server();
        let editor = format!(
            "if grep -q CLASH $1; then {second}; else {OTHER} >&2; sed -i s/a@old/a@mine/ $1; fi"
        );
        let output = edit(&server, &editor, &[], "");
        assert_eq!(output.code, Some(3), "{output:?}");
        assert!(output.err.contains("(now: revision "), "{output:?}");
        let kept = kept(&output.err);
        assert!(fs::read_to_string(&kept).unwrap().contains("a@mine"));
        assert!(
            fs::read_to_string(kept.with_file_name("mine.orig.json")).unwrap().contains("a@mine")
        );
        assert!(server.ok(&["get", "users/ann"]).contains("a@theirs"));
    }
}

/// The story: the text was put aside into the file that was to be edited next, and overwritten there.
#[test]
fn a_key_that_ends_in_mine_loses_no_text() {
    let server = Server::start(&[]);
    server.ok(&["put", "mine", "base", "-t", "text/plain"]);
    let other = "$IFMATCH put mine theirs -t text/plain >&2";
    let editor =
        format!("if grep -q '^<<<<<<<' $1; then echo > $1; exit 1; fi; {other}; echo my text > $1");
    script(&server.path("editor"), &editor);
    let mut command = server.command(&["edit", "mine"]);
    let output = run(command.env("EDITOR", server.path("editor")), b"");
    let kept = kept(&output.err);
    let aside = fs::read_to_string(kept.with_file_name("mine.orig.txt")).unwrap();
    assert_eq!((aside.as_str(), output.code), ("my text\n", Some(1)));
}

/// What a server answers whose document others write all the time: so many writes are refused.
fn contended(refused: usize, mut at_write: impl FnMut() + Send + 'static) -> String {
    let mut writes = 0;
    scripted(move |head| {
        if head.starts_with("GET") {
            let head = format!("200 OK\r\netag: \"{writes}\"\r\ncontent-type: application/json");
            return answer(&head, &format!(r#"{{"mine":0,"theirs":{writes}}}"#));
        }
        at_write();
        writes += 1;
        if writes > refused {
            return answer("204 No Content\r\netag: \"x\"", "");
        }
        problem("409 Conflict", "stale-revision", "")
    })
}

/// The story: it went on for as long as the others did, without a pause.
#[test]
fn a_race_without_a_person_ends_too() {
    let server = Server::start(&[]);
    script(&server.path("editor"), "sed -i 's/\"mine\": 0/\"mine\": 1/' $1");
    for (refused, code) in [(3, 0), (1_000, 3)] {
        let url = contended(refused, || {});
        let mut command = server.command(&["edit", "a", "--yes", "--server", &url]);
        let started = Instant::now();
        let output = run(command.env("EDITOR", server.path("editor")), b"");
        assert_eq!(output.code, Some(code), "{output:?}");
        let gave_up = output.err.contains("others write faster");
        assert_eq!(gave_up, code == 3, "{output:?}");
        // The pauses are random; of a hundred of up to 100 ms it is some seconds.
        assert!(!gave_up || started.elapsed() > Duration::from_secs(2), "{:?}", started.elapsed());
    }
}

/// The story: what came while a write was under way was told to nobody, and the next write followed.
#[test]
fn a_signal_during_a_write_is_heeded_after_it() {
    let server = Server::start(&[]);
    script(&server.path("editor"), "sed -i 's/\"mine\": 0/\"mine\": 1/' $1");
    let (writes, under_way) = mpsc::channel();
    let (go_on, signalled) = mpsc::channel::<()>();
    let url = contended(1, move || {
        let _ended = writes.send(());
        let _ended = signalled.recv();
    });
    let child = server
        .command(&["edit", "a", "--yes", "--server", &url])
        .env("EDITOR", server.path("editor"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    under_way.recv().unwrap();
    signal("TERM", &child);
    drop(go_on);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("interrupted"), "{err}");
    assert!(fs::read_to_string(kept(&err)).unwrap().contains("\"mine\": 1"));
}

#[test]
fn a_write_after_the_clashes_were_decided_is_not_overwritten_either() {
    let server = server();
    let editor = format!(
        "if grep -q CLASH $1; then $IFMATCH put users/ann '{{\"name\":\"Ann\",\"email\":\"a@theirs\",\"age\":31}}' >&2\n\
         sed -i '/^\\/\\//d' $1\nelse {OTHER} >&2; sed -i s/a@old/a@mine/ $1; fi"
    );
    edit(&server, &editor, &["--yes"], "").ok();
    assert_eq!(server.ok(&["get", "users/ann"]), r#"{"name":"Ann","email":"a@mine","age":31}"#);
}

#[test]
fn what_was_deleted_meanwhile_is_created_again_only_if_told_so() {
    let editor = "$IFMATCH delete users/ann\nsed -i s/Ann/Anna/ $1";
    let server = server();
    let output = edit(&server, editor, &[], "n\n");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(fs::read_to_string(kept(&output.err)).unwrap().contains("Anna"));
    server.run(&["get", "users/ann"]).fails(4);
    server.ok(&["put", "users/ann", ANN]);
    edit(&server, editor, &[], "y\n").ok();
    assert!(server.ok(&["get", "users/ann"]).contains("Anna"));
}

#[test]
fn text_that_both_changed_has_both_versions() {
    let server = server();
    server.ok(&["put", "users/ann", "base", "-t", "text/plain"]);
    let other = "$IFMATCH put users/ann theirs -t text/plain >&2";
    let editor = format!(
        "if grep -q '^<<<<<<< mine' $1; then cp $1 seen; printf both > $1; else {other}; printf mine > $1; fi"
    );
    edit(&server, &editor, &[], "").ok();
    assert_eq!(server.ok(&["get", "users/ann"]), "both");
    let seen = fs::read_to_string(server.path("seen")).unwrap();
    assert_eq!(seen, "<<<<<<< mine\nmine\n||||||| base\nbase\n=======\ntheirs\n>>>>>>> theirs\n");
    server.ok(&["put", "users/ann", "base", "-t", "text/plain"]);
    let open = editor.replace("printf both >", "echo more >>");
    let output = edit(&server, &open, &[], "");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(fs::read_to_string(kept(&output.err)).unwrap().contains("mine"));
    assert_eq!(server.ok(&["get", "users/ann"]), "theirs");
}

#[test]
fn the_draft_is_for_its_owner_only_and_its_name_is_harmless() {
    let server = Server::start(&[]);
    script(
        &server.path("editor"),
        "stat -c %a $(dirname $1) > mode; basename $1 > name; echo 1 > $1",
    );
    let mut command = server.command(&["edit", "--create", "a/-x $(y).z"]);
    run(command.env("EDITOR", server.path("editor")), b"").ok();
    assert_eq!(fs::read_to_string(server.path("mode")).unwrap(), "700\n");
    assert_eq!(fs::read_to_string(server.path("name")).unwrap(), "-x___y__z.json\n");
    assert_eq!(server.ok(&["get", "a/-x $(y).z"]), "1\n");
}

#[test]
fn a_refused_write_keeps_the_text_and_a_binary_is_not_edited() {
    let server = Server::start(&["--max-body", "60"]);
    server.ok(&["put", "users/ann", ANN]);
    let line =
        edit(&server, "sed -i s/Ann/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/ $1", &[], "").fails(1);
    assert!(fs::read_to_string(kept(&line)).unwrap().contains("AAAA"));
    server.run_with(&["put", "users/ann", "-"], &[0xff, 0]).ok();
    assert!(edit(&server, "true", &[], "").fails(1).contains("not text"));
}

/// An interrupt belongs to the editor while that runs, and to us afterwards.
#[test]
fn an_interrupt_loses_no_text() {
    let server = server();
    edit(&server, "kill -s INT $PPID; kill -s TERM $PPID; sed -i s/Ann/Anna/ $1", &[], "").ok();
    assert!(server.ok(&["get", "users/ann"]).contains("Anna"));
    let editor = format!("{OTHER} >&2; kill -s INT $PPID; sed -i s/30.0/31/ $1");
    edit(&server, &editor, &["--yes"], "").ok();
    assert!(server.ok(&["get", "users/ann"]).contains(r#""a@theirs","age":31"#));
    script(&server.path("editor"), "echo BAD > $1");
    let mut child = server
        .command(&["edit", "users/ann"])
        .env("EDITOR", server.path("editor"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Waiting for a child would close it, and end the question.
    let _stdin = child.stdin.take();
    let mut err = child.stderr.take().unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"n = no] ") {
        err.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    signal("INT", &child);
    // The question is still open: stdin has not ended.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut line = String::new();
    err.read_to_string(&mut line).unwrap();
    assert!(line.contains("interrupted"), "{line}");
    assert_eq!(fs::read_to_string(kept(&line)).unwrap(), "BAD\n");
}

#[test]
fn the_same_change_by_both_is_written_once() {
    let server = server();
    let other = r#"$IFMATCH put users/ann '{"name":"Ann","email":"a@new","age":30.0}' >&2"#;
    let output = edit(&server, &format!("{other}; sed -i s/a@old/a@new/ $1"), &[], "");
    assert!(output.err.contains("unchanged"), "{output:?}");
    output.ok();
    assert_eq!(server.run(&["get", "users/ann"]).text(), ANN.replace("a@old", "a@new"));
    assert!(server.left().is_empty());
}

#[test]
fn arrays_with_identifiers_are_merged_if_the_member_is_named() {
    let server = Server::start(&[]);
    let other = r#"$IFMATCH put users/ann '[{"id":1,"n":1},{"id":2,"n":5}]' >&2"#;
    let editor = format!("{other}; sed -i '0,/\"n\": 1/s//\"n\": 9/' $1");
    for (flags, code) in [(&["--yes", "--keyed", "=id"][..], 0), (&["--yes"], 3)] {
        server.ok(&["put", "users/ann", r#"[{"id":1,"n":1},{"id":2,"n":1}]"#]);
        let output =
            edit(&server, &format!("if grep -q CLASH $1; then exit 0; fi; {editor}"), flags, "");
        assert_eq!(output.code, Some(code), "{output:?}");
    }
    edit(&server, "true", &["--keyed", "id"], "").fails(2);
    edit(&server, "true", &["--keyed", "x=id"], "").fails(2);
}
