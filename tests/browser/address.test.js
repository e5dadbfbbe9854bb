// What is opened by the address, by going back, by leaving an edit. How to run it: page.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { hides, open, openAt, openLive, server, shows, user } from "./suite.js";

for (const key of ["a/../b", "../watch", "../../readyz", "bank/../../kv/evil", "b/.", "a//b", ""]) {
  test(`a_key_in_the_address_that_is_none_opens_nothing: ${JSON.stringify(key)}`, async () => {
    await server.put("b", user());
    const page = await openAt("about:blank");
    const paths = new Set();
    page.on("request", (request) => paths.add(new URL(request.url()).pathname));
    await page.goto(`${server.url}/#key=${encodeURIComponent(key)}`);
    await page.waitForSelector("[data-state=live]");
    await shows(page, "#status", "A key has");
    assert.equal(await page.isVisible("#empty"), true);
    assert.deepEqual([...paths].sort(), ["/", "/v1/kv", "/v1/watch"]);
  });
}

test("who_discards_an_edit_by_going_back_leaves_its_conflict_too", async () => {
  await server.put("doc", user());
  const page = await openLive("");
  await page.click("#list a");
  await page.waitForSelector("#versions button");
  await page.click("#edit");
  await page.fill("#text", '{"name": "Anna"}');
  await server.put("doc", user({ name: "Anne" }));
  await page.click("#banner .link");
  await page.waitForSelector("#conflict[open]");
  await page.evaluate(() => history.back());
  await page.click("#confirm-yes");
  await page.waitForSelector("#empty");
  assert.equal(await page.isVisible("#conflict"), false);
});

test("who_goes_back_twice_before_the_answer_is_where_the_address_says", async () => {
  for (const key of ["a", "b", "c"]) await server.put(key, { key });
  const page = await openLive("");
  for (const key of ["a", "b", "c"]) {
    await page.click(`#list a[data-key=${key}]`);
    await shows(page, "#content", `"${key}"`);
  }
  await page.click("#edit");
  await page.fill("#text", "1");
  for (const key of ["b", "a"]) {
    await page.evaluate(() => history.back());
    await page.waitForFunction((hash) => location.hash === hash, `#key=${key}`);
    await page.waitForSelector("#confirm[open]");
  }
  await page.click("#confirm-yes");
  await shows(page, "#content", '"a"');
  assert.equal(await page.evaluate(() => location.hash), "#key=a");
  assert.equal(await page.textContent("#heading"), "a");
});

test("on_a_narrow_screen_a_new_document_is_left_for_the_keys", async () => {
  const page = await open("", { viewport: { width: 360, height: 700 } });
  await page.click("#new");
  await page.click("#back");
  await hides(page, "#editor");
  assert.equal(await page.isVisible("#new"), true);
});
