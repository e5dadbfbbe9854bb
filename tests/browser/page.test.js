// The page in a browser: what people see of the contract.
//
// Needs Node 20 or later and Chromium (Debian: apt-get install chromium nodejs npm). From this folder:
//
//     cargo build --features full && npm ci && npm test
//
// CHROMIUM names another browser, IFMATCH another binary. Nothing is fetched but playwright-core, from npm.

import assert from "node:assert/strict";
import { test } from "node:test";

import { proxyUnder, textFile } from "./server.js";
import {
  changed, content, editTo, keys, open, openAt, openLive, race, server, shows, startServer, user,
} from "./suite.js";

test("the_list_has_the_keys_with_a_prefix_in_order", async () => {
  for (const key of ["b", "a/2", "a/10", "c", "a\u{1f600}", "a\uffee"]) await server.put(encodeURIComponent(key), 1);
  const page = await openLive("");
  assert.deepEqual(await keys(page), ["a/10", "a/2", "a\uffee", "a\u{1f600}", "b", "c"]);
  await page.fill("#prefix", "a/");
  await shows(page, "#list-note", "2 keys");
  assert.deepEqual(await keys(page), ["a/10", "a/2"]);
  await page.fill("#prefix", "zzz");
  await shows(page, "#list-note", "No key begins like this");
});

test("more_shows_the_next_page_with_what_changed_since_the_first", async () => {
  const names = Array.from({ length: 130 }, (_, index) => `k/${String(index).padStart(3, "0")}`);
  for (const name of names) await server.put(name, 1);
  const page = await openLive("");
  assert.deepEqual(await keys(page), names.slice(0, 100));
  await server.put("k/110-new", 1);
  await server.delete("k/120");
  await server.delete("k/050");
  await page.waitForFunction(() => document.querySelectorAll("#list a").length === 99);
  await page.click("#more");
  const expected = [...names, "k/110-new"].sort().filter((name) => !["k/120", "k/050"].includes(name));
  await page.waitForFunction((count) => document.querySelectorAll("#list a").length === count, expected.length);
  assert.deepEqual(await keys(page), expected);
});

test("json_is_shown_without_loss_and_as_it_is_stored", async () => {
  const stored = '{"id":9007199254740993,  "x": 1.10, "text":"\\u00e9"}';
  await server.put("doc", stored);
  const page = await openLive("#key=doc");
  assert.equal(await content(page), '{\n  "id": 9007199254740993,\n  "x": 1.10,\n  "text": "\\u00e9"\n}');
  await page.click("[data-mode=stored]");
  assert.equal(await content(page), stored);
  for (const fact of ["Revision", "Created at revision", "Writes", "application/json", "Last modified"]) {
    await shows(page, "#facts", fact);
  }
});

test("text_is_shown_and_binary_data_is_offered_to_download", async () => {
  const bytes = new Uint8Array([0, 1, 255, 254]);
  await server.put("text", "one\ntwo\n", { "content-type": "text/plain; charset=utf-8" });
  await server.put("binary", bytes, { "content-type": "image/png" });
  const page = await openLive("#key=text");
  assert.equal((await content(page)).trimEnd(), "one\ntwo");
  await page.click("#list a[href*=binary]");
  await shows(page, "#content", "4 bytes of binary data");
  assert.equal(await page.isVisible("#edit"), false);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const chunks = await (await download.createReadStream()).toArray();
  assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), bytes);
});

test("markup_in_keys_and_documents_is_text", async () => {
  const markup = "<img src=x onerror=\"document.title='run'\">";
  await server.put(encodeURIComponent(markup), { [markup]: markup });
  const page = await openLive(`#key=${encodeURIComponent(markup)}`);
  assert.equal(await page.locator("main img, nav img").count(), 0);
  assert.match(await content(page), /<img src=x/);
  assert.ok((await keys(page)).includes(markup));
});

test("every_version_that_is_kept_is_shown_and_compared_with_the_newest", async () => {
  await server.put("doc", user());
  await server.put("doc", user({ age: 31 }));
  await server.delete("doc");
  await server.put("doc", user({ age: 32 }));
  const page = await openLive("#key=doc");
  assert.equal(await page.locator("#versions button").count(), 4);
  await shows(page, "#versions li:nth-child(2)", "deleted");
  await page.click("#versions li:nth-child(4) button");
  await shows(page, "#banner", "not what is there now");
  await shows(page, "#content", '"age": 30');
  await page.click("[data-mode=changes]");
  assert.match(await content(page), /-\s+"age": 30\s+\+\s+"age": 32/);
  await page.click("#banner button");
  await page.click("[data-mode=formatted]");
  await shows(page, "#content", '"age": 32');
});

test("an_old_version_can_be_written_again_over_the_newest", async () => {
  await server.put("doc", user());
  const etag = await server.put("doc", user({ age: 31 }));
  const page = await openLive("#key=doc");
  await page.click("#versions li:nth-child(2) button");
  await page.click("#edit");
  const [request] = await Promise.all([page.waitForRequest((one) => one.method() === "PUT"), page.click("#save")]);
  assert.equal((await request.allHeaders())["if-match"], etag);
  await page.waitForFunction(() => document.querySelectorAll("#versions button").length === 3);
  await page.waitForSelector("#banner", { state: "hidden" });
  assert.deepEqual(await server.json("doc"), user());
});

test("a_member_that_is_there_twice_is_shown_twice", async () => {
  const stored = '{"a": 1, "a": 2}';
  await server.put("doc", stored);
  const page = await openLive("#key=doc");
  assert.equal(await content(page), stored);
});

test("what_others_write_shows_at_once", async () => {
  await server.put("users/1", user());
  const page = await openLive("#key=users/1&prefix=users/");
  await server.put("users/1", user({ age: 99 }));
  await shows(page, "#content", '"age": 99');
  await shows(page, "#status", "Updated to revision");
  await server.put("users/2", user());
  await server.put("other", user());
  await page.waitForSelector("#list a[href*='users%2F2']");
  assert.deepEqual(await keys(page), ["users/1", "users/2"]);
  await server.delete("users/1");
  await shows(page, "#banner", "It was deleted at revision");
  assert.deepEqual(await keys(page), ["users/2"]);
});

test("a_document_outside_the_prefix_is_followed_too", async () => {
  await server.put("other", user());
  const page = await openLive("#key=other&prefix=users/");
  await server.put("other", user({ age: 77 }));
  await shows(page, "#content", '"age": 77');
});

test("an_edit_is_sent_with_the_etag_it_was_made_from", async () => {
  const etag = await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  const [request] = await Promise.all([
    page.waitForRequest((one) => one.method() === "PUT"),
    page.click("#save"),
  ]);
  assert.equal((await request.allHeaders())["if-match"], etag);
  await shows(page, "#content", '"age": 31');
  assert.deepEqual(await server.json("doc"), user({ age: 31 }));
});

test("what_is_no_json_is_not_sent", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  page.on("request", (request) => assert.notEqual(request.method(), "PUT"));
  await page.click("#edit");
  await page.fill("#text", '{\n  "a": 01\n}');
  await page.click("#save");
  await shows(page, "#text-problem", "line 2");
  assert.deepEqual(await server.json("doc"), user());
});

test("line_ends_of_a_text_survive_an_edit", async () => {
  await server.put("text", "one\r\ntwo\r\n", { "content-type": "text/plain" });
  const page = await openLive("#key=text");
  await page.click("#edit");
  await page.fill("#text", "one\n2\n");
  await page.click("#save");
  await shows(page, "#content", "2");
  assert.equal(await server.text("text"), "one\r\n2\r\n");
});

test("a_key_that_a_browser_would_resolve_to_another_is_refused", async () => {
  await server.put("b", 1);
  const page = await openLive("");
  page.on("request", (request) => assert.notEqual(request.method(), "PUT"));
  await page.click("#new");
  for (const key of ["a/../b", "./b", "a//b", "/b", "b/", ""]) {
    await page.fill("#new-key", key);
    await page.click("#save");
    await shows(page, "#text-problem", "A key has");
    await page.fill("#text", "2");
  }
  assert.equal(await server.text("b"), "1");
});

test("a_new_document_does_not_overwrite_one_that_is_there", async () => {
  await server.put("doc", { a: 1 });
  const page = await openLive("");
  await page.click("#new");
  await page.fill("#new-key", "doc");
  await page.fill("#text", '{"b": 2}');
  await page.click("#save");
  await shows(page, "#conflict-what", "Somebody has created it");
  assert.deepEqual(await server.json("doc"), { a: 1 });
  await page.click("#conflict-save");
  await shows(page, "#heading", "doc");
  await shows(page, "#content", '"b": 2');
  assert.deepEqual(await server.json("doc"), { a: 1, b: 2 });
});

test("a_delete_that_comes_too_late_deletes_nothing", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  // Somebody is first by as little as can be: after the click, before the request.
  await page.route("**/v1/kv/doc", async (route) => {
    await server.put("doc", user({ age: 31 }));
    await route.continue();
  }, { times: 1 });
  await page.click("#delete");
  await page.click("#confirm-yes");
  await shows(page, "#status", "Not deleted");
  assert.deepEqual(await server.json("doc"), user({ age: 31 }));
  await shows(page, "#content", '"age": 31');
  await page.click("#delete");
  await page.click("#confirm-yes");
  await shows(page, "#banner", "It was deleted");
  assert.equal(await server.text("doc"), null);
});

test("two_pages_that_change_different_fields_are_merged", async () => {
  const page = await race(changed({ age: 31 }), changed({ email: "ann@new" }));
  await shows(page, "#conflict-what", "do not touch each other");
  await page.keyboard.press("Enter");
  await shows(page, "#status", "Merged and saved");
  assert.deepEqual(await server.json("doc"), user({ age: 31, email: "ann@new" }));
  await shows(page, "#content", "ann@new");
});

test("two_pages_that_change_one_field_show_base_mine_and_theirs_and_save_the_choice", async () => {
  const page = await race(changed({ name: "Anne", age: 31 }), changed({ name: "Anna" }));
  assert.match(await page.innerText(".side.base pre"), /"Ann"/);
  assert.match(await page.innerText(".side.mine pre"), /"Anna"/);
  assert.match(await page.innerText(".side.theirs pre"), /"Anne"/);
  await shows(page, ".clash legend", "/name");
  assert.equal(await page.locator(".clash").count(), 1);
  await page.click("#conflict-save");
  await shows(page, "#result-problem", "Choose what becomes of /name");
  assert.deepEqual(await server.json("doc"), user({ name: "Anne", age: 31 }), "nothing is saved undecided");
  await page.check(".clash input[value=mine]");
  assert.equal(JSON.parse(await page.inputValue("#result")).name, "Anna");
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.deepEqual(await server.json("doc"), user({ name: "Anna", age: 31 }));
});

test("a_clash_can_be_decided_by_another_value_or_by_hand", async () => {
  const page = await race(changed({ name: "Anne" }), changed({ name: "Anna" }));
  await page.fill(".clash .other", '"Annie');
  await page.click("#conflict-save");
  await shows(page, "#result-problem", "not JSON");
  await page.fill(".clash .other", '"Annie"');
  assert.equal(JSON.parse(await page.inputValue("#result")).name, "Annie");
  await page.check("#by-hand");
  await page.fill("#result", '{"name": 9007199254740993}');
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.equal(await server.text("doc"), '{"name": 9007199254740993}');
});

test("who_loses_again_while_deciding_is_shown_the_next_conflict", async () => {
  const page = await race(changed({ name: "Anne" }), changed({ name: "Anna" }));
  await page.check(".clash input[value=mine]");
  await server.put("doc", user({ name: "Annabel", age: 32 }));
  await shows(page, "#conflict-guard", "once more");
  await page.click("#conflict-save");
  await shows(page, ".side.base pre", '"Anne"');
  await shows(page, ".side.theirs pre", '"Annabel"');
  assert.deepEqual(await server.json("doc"), user({ name: "Annabel", age: 32 }));
  await page.check(".clash input[value=mine]");
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.deepEqual(await server.json("doc"), user({ name: "Anna", age: 32 }));
});

test("a_merge_keeps_numbers_that_a_browser_would_round", async () => {
  const text = '{"id": 9007199254740993, "price": 1.10, "a": 1, "b": 1}';
  const page = await race((old) => old.replace('"a": 1', '"a": 2'), (old) => old.replace('"b": 1', '"b": 12345678901234567890'), text);
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  const merged = await server.text("doc");
  for (const part of ["9007199254740993", "1.10", "12345678901234567890"]) assert.ok(merged.includes(part), merged);
});

test("what_cannot_be_merged_by_members_says_why_and_is_decided_whole", async () => {
  const twice = '{"a": 1, "a": 2, "b": 1}';
  const page = await race((old) => old.replace('"b": 1', '"b": 2'), (old) => old.replace('"b": 1', '"b": 3'), twice);
  await shows(page, "#conflict-what", 'the member "a" twice');
  await page.check(".clash input[value=mine]");
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.equal(await server.text("doc"), '{"a": 1, "a": 2, "b": 3}');
});

test("a_document_that_was_deleted_meanwhile_is_not_brought_back_unasked", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  await server.delete("doc");
  await shows(page, "#banner", "Somebody deleted it");
  await page.click("#save");
  await shows(page, "#conflict-what", "It was deleted meanwhile");
  assert.equal(await server.text("doc"), null);
  await page.check(".clash input[value=mine]");
  const [request] = await Promise.all([page.waitForRequest((one) => one.method() === "PUT"), page.click("#conflict-save")]);
  assert.equal((await request.allHeaders())["if-none-match"], "*");
  await shows(page, "#status", "Merged and saved");
  assert.deepEqual(await server.json("doc"), user({ age: 31 }));
});

test("a_save_whose_answer_was_lost_is_done_once", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  await page.route("**/v1/kv/doc", async (route) => {
    await route.fetch();
    await route.abort();
  }, { times: 1 });
  await page.click("#save");
  await shows(page, "#text-problem", "saving again is safe");
  await page.click("#save");
  await shows(page, "#status", "Saved");
  assert.equal(await page.isVisible("#conflict"), false);
  await shows(page, "#content", '"age": 31');
});

test("a_watch_that_is_compacted_reads_all_anew", async () => {
  await server.put("doc", user());
  const page = await open("#key=doc");
  await page.waitForSelector("[data-state=live]");
  let isTold = false;
  await page.route("**/v1/watch*", (route) => {
    isTold = true;
    return route.fulfill({
      contentType: "text/event-stream", body: "event: compacted\ndata: {\"oldest_revision\": 1}\n\n",
    });
  }, { times: 1 });
  await server.end("SIGKILL");
  await shows(page, "#connection", "Connection lost");
  await server.run(server.port);
  await server.put("doc", user({ age: 55 }));
  await shows(page, "#content", '"age": 55');
  await page.waitForSelector("[data-state=live]");
  assert.ok(isTold);
});

test("the_page_comes_back_after_a_restart_and_shows_what_it_missed", async () => {
  await server.put("users/1", user());
  const page = await openLive("#key=users/1");
  await server.end();
  await shows(page, "#connection", "Connection lost");
  await server.run(server.port);
  await server.put("users/1", user({ age: 44 }));
  await server.put("users/2", user());
  await shows(page, "#content", '"age": 44');
  await page.waitForSelector("#list a[href*='users%2F2']");
  await page.waitForSelector("[data-state=live]");
});

test("what_is_written_between_the_document_and_the_list_is_shown", async () => {
  await server.put("doc", user());
  const page = await openAt("about:blank");
  // The list, and with it the watch, begins after a change that the document was read before.
  await page.route("**/v1/kv?*", async (route) => {
    await shows(page, "#content", '"age": 30');
    await server.put("doc", user({ age: 66 }));
    await route.continue();
  }, { times: 1 });
  await page.goto(`${server.url}/#key=doc`);
  await shows(page, "#content", '"age": 66');
});

test("a_change_that_could_not_be_read_is_read_later", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await page.route("**/v1/history/doc", (route) => route.abort(), { times: 1 });
  await server.put("doc", user({ age: 66 }));
  await page.waitForSelector("#status[data-kind=error]");
  await shows(page, "#content", '"age": 66');
  await page.waitForFunction(() => document.querySelector("#status").textContent === "");
});

test("nothing_is_taken_from_under_the_mouse_where_nothing_changed", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await page.evaluate(() => { document.querySelector("#versions button").dataset.isMarked = "yes"; });
  const isRead = page.waitForResponse("**/v1/history/doc");
  await page.fill("#prefix", "d");
  await (await isRead).finished();
  await page.evaluate(() => new Promise((done) => { setTimeout(done, 200); }));
  assert.equal(await page.locator("#versions button[data-is-marked]").count(), 1);
});

test("what_the_server_said_to_the_token_before_is_not_said_of_this_one", async () => {
  const token = "eyNmb6UhvQdX5pLwK3z8";
  await startServer("--auth-token-file", await textFile(`${token}\n`));
  server.headers = { authorization: `Bearer ${token}` };
  await server.put("doc", user());
  const page = await open("#key=doc");
  await shows(page, "#access", "wants a bearer token");
  // The answer to the first token comes when the second is in use.
  let refuse;
  const isRefused = new Promise((done) => { refuse = done; });
  await page.route("**/v1/kv?*", async (route) => {
    const response = await route.fetch();
    await shows(page, "#content", '"age": 30');
    await route.fulfill({ response });
    refuse();
  }, { times: 1 });
  for (const text of ["not-the-token-of-the-server", token]) {
    await page.fill("#token", text);
    await page.press("#token", "Enter");
    if (text !== token) await page.click("#token-button");
  }
  await isRefused;
  await page.waitForSelector("[data-state=live]");
  assert.equal(await page.isVisible("#access"), false);
});

test("in_strict_mode_a_412_shows_the_conflict_too", async () => {
  await startServer("--precondition-status", "412");
  const page = await race(changed({ age: 31 }), changed({ email: "ann@new" }));
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.deepEqual(await server.json("doc"), user({ age: 31, email: "ann@new" }));
});

test("a_token_is_asked_for_and_kept_until_the_tab_is_closed", async () => {
  const [token, reader] = ["eyNmb6UhvQdX5pLwK3z8", "dT2wqX9rYb4LmZs7Kc1v"];
  await startServer("--auth-token-file", await textFile(`${token}\n${reader} read\n`));
  server.headers = { authorization: `Bearer ${token}` };
  await server.put("doc", user());
  const page = await open("#key=doc");
  await shows(page, "#access", "wants a bearer token");
  const use = async (text) => {
    await page.fill("#token", text);
    await page.keyboard.press("Enter");
  };
  await use("not-the-token-of-the-server");
  await shows(page, "#access", "does not take this token");
  await use(reader);
  await shows(page, "#content", '"age": 30');
  await page.waitForSelector("[data-state=live]");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  await page.click("#save");
  await shows(page, "#text-problem", "does not allow to write");
  await page.click("#token-button");
  await use(token);
  await page.click("#save");
  await shows(page, "#content", '"age": 31');
  await page.reload();
  await shows(page, "#content", '"age": 31');
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  assert.deepEqual(await page.context().cookies(), []);
});

test("under_a_prefix_everything_works", async () => {
  await server.put("users/1", user());
  const proxy = await proxyUnder("/api", server);
  try {
    for (const base of ["/api", "/api/"]) {
      const page = await openAt(`http://127.0.0.1:${proxy.address().port}${base}#key=users/1`);
      const paths = [];
      page.on("request", (request) => paths.push(new URL(request.url()).pathname));
      await page.waitForSelector("[data-state=live]");
      const age = base.length;
      await editTo(page, (doc) => ({ ...doc, age }));
      await page.click("#save");
      await shows(page, "#content", `"age": ${age}`);
      assert.ok(paths.every((path) => path.startsWith("/api/v1/")), paths.join(" "));
    }
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
