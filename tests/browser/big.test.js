// Documents that are long, or have many parts. How to run it: page.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { content, hold, openLive, server, shows } from "./suite.js";

const MIB = 1 << 20;
const TEXT = { "content-type": "text/plain" };
const numbers = (count, from = 0) => JSON.stringify(Array.from({ length: count }, (_, index) => index + from));

// A page where a version is being loaded that came without its content, until `load` is called.
async function loading() {
  for (const letter of ["a", "b", "c", "d"]) await server.put("doc", letter.repeat(3 * MIB), TEXT);
  const page = await openLive("#key=doc");
  const held = await hold(page, "**/v1/kv/doc?at=*", { ask: () => {}, answer: (route) => route.continue() });
  await page.click("#versions button:has-text('not loaded') >> nth=-1");
  await held.asked;
  return { page, load: held.release };
}

// Whether the text is three mebibytes of a letter. A difference between two of them would be long.
const isAll = async (page, letter) => await page.inputValue("#text") === letter.repeat(3 * MIB);

test("an_edit_never_begins_with_a_version_that_is_not_loaded", async () => {
  const { page, load } = await loading();
  await page.click("#edit");
  assert.ok(await isAll(page, "d"), "the version that is shown");
  await page.click("#cancel");
  await load();
  await shows(page, "#banner", "not what is there now");
  await page.click("#edit");
  assert.ok(await isAll(page, "a"), "the one that was loaded");
});

test("while_a_version_is_loaded_the_one_before_is_shown", async () => {
  const { page, load } = await loading();
  await page.click("[data-mode=stored]");
  await shows(page, "#content", "too long to show");
  assert.deepEqual(page.complaints, []);
  await load();
  await shows(page, "#banner", "not what is there now");
});

test("a_document_of_many_numbers_is_shown", async () => {
  const count = 70_000;
  await server.put("doc", `[${"1,".repeat(count - 1)}1]`);
  const page = await openLive("#key=doc");
  await page.waitForFunction((all) => document.querySelectorAll(".json-number").length === all, count);
});

test("many_lines_that_differ_are_shown_up_to_a_bound", async () => {
  await server.put("doc", numbers(130_000));
  await server.put("doc", numbers(130_000, 1_000_000));
  const page = await openLive("#key=doc");
  await page.click("#versions button >> nth=1");
  await page.click("[data-mode=changes]");
  await shows(page, "#content .gap", "too many to show");
  assert.ok(await page.locator("#content .line").count() < 20_000);
  assert.match(await content(page), /- {3}0,\n/);
});

test("a_conflict_of_many_lines_is_decided", async () => {
  const text = numbers(130_000);
  await server.put("doc", text);
  const page = await openLive("#key=doc");
  await page.click("#edit");
  await page.fill("#text", text.replace("[0", "[1"));
  await server.put("doc", text.replace("[0", "[2"));
  await page.click("#banner .link");
  await page.check(".clash input[value=mine]");
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.ok((await server.text("doc")).startsWith("[1,1,2,"));
});

for (const type of ["text/plain", "application/octet-stream"]) {
  test(`seven_mebibytes_of_${type}_are_told_of`, async () => {
    await server.put("doc", "x".repeat(7 * MIB), { "content-type": type });
    const page = await openLive("#key=doc");
    await shows(page, "#content", "7.0 MiB");
    await shows(page, "#facts", type);
  });
}
