// The list while others write and answers are slow. How to run it: page.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { focused, hold, keys, openLive, server, shows } from "./suite.js";

const names = (count) => Array.from({ length: count }, (_, index) => `k/${String(index).padStart(3, "0")}`);
const row = (page, key) => page.locator(`#list a[data-key="${key}"]`);
const hasRows = (page, count) =>
  page.waitForFunction((all) => document.querySelectorAll("#list a").length === all, count);

async function openList(count) {
  for (const name of names(count)) await server.put(name, 1);
  return openLive("");
}

test("a_click_is_not_lost_to_a_commit", async () => {
  const page = await openList(3);
  await row(page, "k/001").hover();
  await page.mouse.down();
  await server.put("k/new", 1);
  await row(page, "k/new").waitFor();
  await page.mouse.up();
  await shows(page, "#heading", "k/001");
});

test("a_commit_does_not_undo_scrolling", async () => {
  const page = await openList(100);
  await page.keyboard.press("j");
  assert.equal(await focused(page), "k/000");
  await page.hover("#list");
  await page.mouse.wheel(0, 1000);
  await page.waitForFunction(() => document.querySelector("#list").scrollTop === 1000);
  await server.put("k/zzz", 1);
  await row(page, "k/zzz").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("#list").scrollTop), 1000);
  assert.equal(await focused(page), "k/000");
});

test("who_is_at_a_key_that_is_deleted_gets_to_the_next", async () => {
  const page = await openList(5);
  for (let press = 0; press < 3; press += 1) await page.keyboard.press("j");
  assert.equal(await focused(page), "k/002");
  await server.delete("k/002");
  await hasRows(page, 4);
  assert.equal(await focused(page), "k/003");
  await server.delete("k/004");
  await server.delete("k/003");
  await hasRows(page, 2);
  assert.equal(await focused(page), "k/001", "or the last");
});

test("what_changes_in_a_row_is_shown_in_it", async () => {
  const page = await openList(2);
  await server.put("k/001", "2", { "content-type": "text/plain" });
  await page.waitForSelector("#list a[data-key='k/001'][title*='text/plain'][data-new]");
  await page.waitForSelector("#list a[data-key='k/001']:not([data-new])");
});

test("a_key_that_came_and_went_is_in_nobodys_way", async () => {
  const page = await openList(2);
  await server.put("k/new", 1);
  await page.waitForSelector("#list a[data-key='k/new']");
  // When the page is told that the key is gone, its row is there for a moment yet.
  await page.evaluate(() => {
    const isTold = new MutationObserver(() => { location.hash = "#key=k/001"; });
    isTold.observe(document.querySelector("#store"), { childList: true });
  });
  await server.delete("k/new");
  await shows(page, "#heading", "k/001");
  await page.waitForSelector("#list a[data-key='k/new']", { state: "detached" });
});

test("a_list_that_is_left_has_no_more_pages", async () => {
  const page = await openList(130);
  await server.put("z", 1);
  const held = await hold(page, "**/v1/kv?prefix=z*");
  assert.equal(await page.isVisible("#more"), true);
  await page.fill("#prefix", "z");
  await held.asked;
  assert.equal(await page.isVisible("#more"), false);
  await page.locator("#more").dispatchEvent("click");
  await held.release();
  await hasRows(page, 1);
  assert.deepEqual(await keys(page), ["z"]);
});

test("more_does_not_take_the_focus_from_who_went_on", async () => {
  const page = await openList(130);
  const held = await hold(page, "**/v1/kv?*cursor=*");
  await page.click("#more");
  await held.asked;
  await page.focus("#prefix");
  await held.release();
  await hasRows(page, 130);
  assert.equal(await focused(page), "prefix");
});

test("more_that_fails_can_be_asked_for_again", async () => {
  const page = await openList(130);
  await page.route("**/v1/kv?*cursor=*", (route) => route.fulfill({ status: 503 }), { times: 1 });
  await page.click("#more");
  await shows(page, "#status", "the server answered 503");
  assert.equal(await page.getAttribute("#connection", "data-state"), "live");
  await page.click("#more");
  await hasRows(page, 130);
});

test("a_prefix_that_is_typed_stays_when_a_key_is_opened_meanwhile", async () => {
  const page = await openList(3);
  await server.put("other", 1);
  await hasRows(page, 4);
  const held = await hold(page, "**/v1/kv?prefix=k*");
  await page.fill("#prefix", "k/");
  await held.asked;
  await row(page, "k/001").click();
  await shows(page, "#heading", "k/001");
  await held.release();
  await hasRows(page, 3);
  assert.equal(await page.inputValue("#prefix"), "k/");
});
