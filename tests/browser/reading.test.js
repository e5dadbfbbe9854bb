// Reads that are slow, late or refused. How to run it: page.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { textFile } from "./server.js";
import { content, hold, open, openAt, openLive, server, settled, shows, startServer, user } from "./suite.js";

// An answer that the same request would get again.
const forbid = (route) => route.fulfill({ status: 403 });
const overload = (route) => route.fulfill({ status: 503 });

test("a_late_answer_does_not_take_the_place_of_a_newer_one", async () => {
  for (const key of ["a", "b"]) await server.put(key, user());
  const page = await openLive("");
  const held = await hold(page, "**/v1/history/a");
  await page.click("#list a[data-key=a]");
  await held.asked;
  await page.click("#list a[data-key=b]");
  await shows(page, "#content", '"age": 30');
  await server.put("a", user({ age: 31 }));
  await page.click("#list a[data-key=a]");
  await shows(page, "#content", '"age": 31');
  await held.release();
  assert.match(await content(page), /"age": 31/);
});

test("what_was_asked_for_while_a_read_was_refused_is_read", async () => {
  for (const key of ["doc", "other"]) await server.put(key, user());
  const page = await openLive("");
  const held = await hold(page, "**/v1/history/doc", { answer: forbid });
  await page.click("#list a[data-key=doc]");
  await held.asked;
  // The list asks for the document once more.
  await page.fill("#prefix", "d");
  await shows(page, "#list-note", "1 key");
  await held.release();
  await shows(page, "#content", '"age": 30');
});

test("nobody_says_that_a_document_is_not_there_while_it_is_read", async () => {
  for (const key of ["a", "b"]) await server.put(key, user());
  const page = await openLive("");
  const [one, other] = [await hold(page, "**/v1/history/a"), await hold(page, "**/v1/history/b")];
  await page.click("#list a[data-key=a]");
  await one.asked;
  await page.click("#list a[data-key=b]");
  await other.asked;
  await one.release();
  assert.equal(await page.isVisible("#banner"), false);
  await other.release();
  await shows(page, "#content", '"age": 30');
});

test("nobody_says_that_a_document_is_not_there_when_it_could_not_be_read", async () => {
  await server.put("doc", user());
  const page = await openLive("");
  const held = await hold(page, "**/v1/history/doc", { answer: overload });
  await page.click("#list a");
  await held.asked;
  await held.release();
  await page.waitForSelector("#status[data-kind=error]");
  assert.equal(await page.isVisible("#banner"), false);
  await page.evaluate(() => { location.hash = "#key=none"; });
  await shows(page, "#banner", "There is no such document");
});

test("what_was_said_of_a_refusal_goes_with_it", async () => {
  const token = "eyNmb6UhvQdX5pLwK3z8";
  await startServer("--auth-token-file", await textFile(`${token}\n`));
  server.headers = { authorization: `Bearer ${token}` };
  await server.put("doc", user());
  const page = await open("#key=doc");
  await page.waitForSelector("#status[data-kind=error]");
  await page.fill("#token", token);
  await page.press("#token", "Enter");
  await shows(page, "#content", '"age": 30');
  await page.waitForSelector("[data-state=live]");
  await server.put("doc", user({ age: 31 }));
  await shows(page, "#status", "Updated to revision");
});

test("without_a_history_a_revision_is_that_of_the_content", async () => {
  await server.put("doc", user());
  const page = await openAt("about:blank");
  await page.route("**/v1/history/*", (route) => route.fulfill({ status: 501 }));
  await page.route("**/v1/watch*", (route) => route.abort());
  await page.goto(server.url);
  await page.waitForSelector("#list a");
  const revision = Number(/revision (\d+)/.exec(await page.getAttribute("#list a", "title"))[1]);
  // It is changed after it was read, and nobody tells of that.
  await page.route("**/v1/kv/doc", async (route) => {
    const response = await route.fetch();
    await server.put("doc", user({ age: 31 }));
    await route.fulfill({ response });
  }, { times: 1 });
  await page.click("#list a");
  await shows(page, "#content", '"age": 30');
  const facts = await page.innerText("#facts");
  assert.match(facts, new RegExp(`Revision\\s+${revision}\\s+Created at revision\\s+${revision}\\s+Writes\\s+1\\s`));
});

test("a_read_without_an_answer_is_done_again", async () => {
  await server.put("doc", user());
  const page = await openAt("about:blank");
  await page.addInitScript(() => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    AbortSignal.timeout = () => timeout(500);
  });
  await page.route("**/v1/history/doc", () => {}, { times: 1 });
  await page.goto(`${server.url}/#key=doc`);
  await shows(page, "#content", '"age": 30');
  await settled(page);
});
