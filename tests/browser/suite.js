// What the tests of the page share: a browser for a file of tests, and for each test a server of its own. Its pages may
// not complain of anything.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";

import { openPage, Server, startBrowser } from "./server.js";

export let server;
let browser;
let pages;

before(async () => { browser = await startBrowser(); });
after(() => browser.close());
beforeEach(async () => {
  server = await Server.start("--history", "50");
  pages = [];
});
afterEach(async () => {
  const complaints = pages.flatMap((page) => page.complaints);
  await Promise.all(pages.map((page) => page.context().close()));
  await server.stop();
  assert.deepEqual(complaints, []);
});

// Another server in place of the one that the test began with.
export async function startServer(...flags) {
  await server.stop();
  server = await Server.start(...flags);
}

export async function openAt(url, options = {}) {
  const page = await openPage(browser, url, options);
  pages.push(page);
  return page;
}

export function open(hash = "", options = {}) {
  return openAt(`${server.url}/${hash}`, options);
}

export async function openLive(hash, options) {
  const page = await open(hash, options);
  await page.waitForSelector("[data-state=live]");
  if (hash) await page.waitForSelector("#versions button");
  return page;
}

export const keys = (page) => page.locator("#list a").allTextContents();
export const content = (page) => page.locator("#content").innerText();
export const shows = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();
export const hides = (page, selector) => page.waitForSelector(selector, { state: "hidden" });
export const focused = (page) => page.evaluate(() => document.activeElement.dataset.key ?? document.activeElement.id);
export const user = (fields = {}) => ({ name: "Ann", email: "ann@old", age: 30, ...fields });

export async function editTo(page, change) {
  await page.click("#edit");
  const text = await page.inputValue("#text");
  await page.fill("#text", JSON.stringify(change(JSON.parse(text)), null, 2));
}

// Holds the first request for `url` until `release` is called: `ask` is done at once, `answer` then.
export async function hold(page, url, { ask = (route) => route.fetch(), answer = fulfill } = {}) {
  const [asked, released, answered] = [deferred(), deferred(), deferred()];
  let isFirst = true;
  // Without `times`: Playwright lets go of all that is held when its last route has been used up.
  await page.route(url, async (route) => {
    if (!isFirst) return route.fallback();
    isFirst = false;
    const response = await ask(route);
    asked.done();
    await released.promise;
    answered.done(answer(route, response));
  });
  const release = async () => {
    released.done();
    await answered.promise;
    await settled(page);
  };
  return { asked: asked.promise, release };
}

function fulfill(route, response) {
  return route.fulfill({ response });
}

function deferred() {
  const deferred = {};
  deferred.promise = new Promise((done) => { deferred.done = done; });
  return deferred;
}

// Later than what came before: what that has changed is shown then, if it is shown at all.
export function settled(page) {
  return page.evaluate(async () => {
    await fetch("healthz");
    await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
  });
}

export async function race(changeOne, changeOther, value = user(), type = "application/json") {
  await server.put("doc", value, { "content-type": type });
  const [one, other] = [await openLive("#key=doc"), await openLive("#key=doc")];
  for (const [page, change] of [[one, changeOne], [other, changeOther]]) {
    await page.click("#edit");
    await page.fill("#text", change(await page.inputValue("#text")));
  }
  await one.click("#save");
  await shows(one, "#status", "Saved");
  await shows(other, "#banner", "while you were editing");
  await other.click("#save");
  await other.waitForSelector("#conflict[open]");
  return other;
}

export const changed = (fields) => (text) => JSON.stringify({ ...JSON.parse(text), ...fields }, null, 2);
