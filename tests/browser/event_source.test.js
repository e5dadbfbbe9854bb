// A browser's own EventSource on the watch, while the server is restarted: it comes back by itself with the id of the
// last message, and the log has what came after. How to run it: page.test.js.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openPage, Server, startBrowser } from "./server.js";

const WRITES = 40;
const RESTARTS = 3;

let browser;

before(async () => { browser = await startBrowser(); });
after(() => browser.close());

// A page with an EventSource that keeps what it is told.
async function listen(server) {
  const page = await openPage(browser, server.url);
  await page.evaluate(() => {
    window.seen = [];
    window.opened = 0;
    window.source = new EventSource("v1/watch?prefix=k/");
    window.source.addEventListener("open", () => { window.opened += 1; });
    window.source.addEventListener("compacted", () => {
      window.seen.push("compacted");
      window.source.close();
    });
    window.source.addEventListener("commit", (message) => {
      const { revision, events } = JSON.parse(message.data);
      window.seen.push({ id: Number(message.lastEventId), revision, value: events[0].value });
    });
  });
  await page.waitForFunction(() => window.opened === 1);
  return page;
}

const upTo = (count) => Array.from({ length: count }, (_, value) => value);

test("an_event_source_has_no_gap_and_no_duplicate_across_restarts", async () => {
  const server = await Server.start();
  const page = await listen(server);
  let count = 0;
  const write = async () => {
    await server.put(`k/${count % 7}`, count);
    count += 1;
  };
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    for (let index = 0; index < WRITES / 2; index += 1) await write();
    await server.restart();
    // Written before the browser is back: it has to be told of these, too.
    for (let index = 0; index < WRITES / 2; index += 1) await write();
    await page.waitForFunction((opened) => window.opened === opened, restart + 2);
  }
  await write();
  await page.waitForFunction((last) => window.seen.at(-1)?.value === last, count - 1);
  const seen = await page.evaluate(() => window.seen);
  await page.context().close();
  await server.stop();
  assert.deepEqual(seen.map(({ value }) => value), upTo(count));
  for (const { id, revision } of seen) assert.equal(id, revision);
  const revisions = seen.map(({ revision }) => revision);
  assert.deepEqual(revisions, [...new Set(revisions)].sort((one, other) => one - other));
});

test("an_event_source_goes_on_after_a_crash", async () => {
  const server = await Server.start();
  const page = await listen(server);
  for (const value of upTo(WRITES)) await server.put("k/1", value);
  await page.waitForFunction((last) => window.seen.at(-1)?.value === last, WRITES - 1);
  await server.end("SIGKILL");
  await server.run(server.port);
  await server.put("k/1", WRITES);
  await page.waitForFunction((length) => window.seen.length > length, WRITES);
  const seen = await page.evaluate(() => window.seen);
  await page.context().close();
  await server.stop();
  // What was told is on the disk, and so is what came after it: nothing is missing, and nothing comes twice.
  assert.deepEqual(seen.map((one) => one.value ?? one), upTo(WRITES + 1));
});
