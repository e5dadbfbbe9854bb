// Writing: what is typed, while it is saved, and where the focus is after it. How to run it: page.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { textFile } from "./server.js";
import { editTo, focused, hides, hold, open, openLive, server, shows, startServer, user } from "./suite.js";

// A page that saves a document, and whose server will say that it is overloaded.
async function openSaving() {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  const held = await hold(page, "**/v1/kv/doc", { ask: () => {}, answer: (route) => route.fulfill({ status: 503 }) });
  await page.click("#save");
  await held.asked;
  return { page, held };
}

test("a_new_line_with_a_margin_can_be_undone", async () => {
  await server.put("doc", "  one", { "content-type": "text/plain" });
  const page = await openLive("#key=doc");
  await page.click("#edit");
  await page.keyboard.press("End");
  await page.keyboard.type("!");
  await page.keyboard.press("Enter");
  assert.equal(await page.inputValue("#text"), "  one!\n  ");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  assert.equal(await page.inputValue("#text"), "  one");
});

test("who_leaves_while_it_is_saved_is_told_the_truth", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  const held = await hold(page, "**/v1/kv/doc");
  await page.click("#save");
  await held.asked;
  await page.click("#cancel");
  await shows(page, "#confirm-what", "It is being saved");
  await page.click("#confirm-yes");
  await held.release();
  await shows(page, "#status", "doc was saved");
});

test("a_save_that_fails_says_nothing_in_the_next_edit", async () => {
  const { page, held } = await openSaving();
  await page.click("#cancel");
  await page.click("#confirm-yes");
  await page.click("#new");
  await held.release();
  await shows(page, "#status", "503");
  assert.equal(await page.textContent("#text-problem"), "");
});

test("a_change_during_a_save_that_fails_is_told", async () => {
  const { page, held } = await openSaving();
  const isRead = page.waitForResponse("**/v1/history/doc");
  await server.put("doc", user({ age: 99 }));
  await (await isRead).finished();
  await held.release();
  await shows(page, "#banner", "while you were editing");
});

test("a_document_that_came_and_went_meanwhile_is_not_told_of", async () => {
  await server.put("doc", user());
  await server.delete("doc");
  const page = await openLive("#key=doc");
  await page.click("#edit");
  await server.put("doc", user());
  await shows(page, "#banner", "while you were editing");
  await server.delete("doc");
  await hides(page, "#banner");
  await shows(page, "#guard", "if nothing is there");
});

const TOKEN = "eyNmb6UhvQdX5pLwK3z8";

async function use(page, token) {
  await page.fill("#token", token);
  await page.press("#token", "Enter");
}

test("a_token_that_no_header_can_hold_is_not_taken", async () => {
  await startServer("--auth-token-file", await textFile(`${TOKEN}\n`));
  const page = await open("");
  await use(page, `${TOKEN}\u200b`);
  await shows(page, "#access", "A token has only");
  await use(page, TOKEN);
  await page.waitForSelector("[data-state=live]");
  assert.equal(await focused(page), "main");
});

test("a_content_type_that_no_header_can_hold_is_not_sent", async () => {
  const page = await openLive("");
  await page.click("#new");
  await page.fill("#new-key", "doc");
  await page.fill("#new-type", "text/plain; name=\u0142");
  await page.click("#save");
  await shows(page, "#text-problem", "A content type has only");
});

test("the_focus_goes_to_the_document_when_a_button_goes_away", async () => {
  for (const age of [30, 31]) await server.put("doc", user({ age }));
  const page = await openLive("#key=doc");
  await page.click("#versions button >> nth=1");
  await page.click("#banner button");
  await hides(page, "#banner");
  assert.equal(await focused(page), "main");
});

test("the_focus_goes_to_the_document_when_it_is_deleted", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await page.click("#delete");
  await page.click("#confirm-yes");
  await shows(page, "#banner", "It was deleted");
  assert.equal(await focused(page), "main");
});

test("what_is_shown_has_a_role_and_a_name", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await page.getByRole("region", { name: "Content" }).waitFor();
});
