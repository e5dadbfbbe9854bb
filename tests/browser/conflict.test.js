// The dialog when somebody else was first: what is typed there, and what is saved. How to run it: page.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { changed, editTo, hides, hold, openLive, race, server, shows, user } from "./suite.js";

const HAND = '{"by": "hand"}';

// A conflict about /name, to be decided.
const conflict = () => race(changed({ name: "Anne" }), changed({ name: "Anna" }));

async function byHand(page, text = HAND) {
  await page.check("#by-hand");
  await page.fill("#result", text);
}

test("what_is_written_by_hand_is_taken_back_to_the_editor", async () => {
  const page = await conflict();
  const mine = await page.inputValue("#text");
  await byHand(page);
  await page.keyboard.press("Escape");
  await page.waitForFunction((text) => document.querySelector("#text").value === text, HAND);
  await page.keyboard.press("Control+z");
  assert.equal(await page.inputValue("#text"), mine, "it can be undone");
  await page.keyboard.press("Control+Shift+z");
  await page.click("#save");
  await page.check(".clash input[value=mine]");
  await byHand(page, '"more"');
  await page.click("#conflict-cancel");
  await page.waitForFunction(() => document.querySelector("#text").value === '"more"');
});

test("what_is_written_by_hand_is_not_merged_away_unasked", async () => {
  const page = await conflict();
  await byHand(page);
  await page.click("#by-hand");
  await page.click("#confirm-no");
  assert.equal(await page.inputValue("#result"), HAND);
  assert.equal(await page.isChecked("#by-hand"), true);
  await page.click("#by-hand");
  await page.click("#confirm-yes");
  await page.waitForFunction(() => document.querySelector("#result").readOnly);
  assert.match(await page.inputValue("#result"), /Anne/);
});

test("what_is_being_saved_is_not_written_on", async () => {
  const page = await conflict();
  await byHand(page);
  const held = await hold(page, "**/v1/kv/doc");
  await page.keyboard.press("Control+s");
  await held.asked;
  await page.keyboard.insertText("lost");
  assert.equal(await page.inputValue("#result"), HAND);
  await held.release();
  await shows(page, "#status", "Merged and saved");
});

for (const [way, act] of [
  ["keeping_theirs", async (page) => {
    const { x, y } = await page.locator("#conflict-theirs").boundingBox();
    await page.mouse.click(x + 5, y + 5);
  }],
  ["escape", (page) => page.keyboard.press("Escape")],
]) {
  test(`while_it_is_saved_${way}_does_nothing`, async () => {
    const page = await conflict();
    await page.check(".clash input[value=mine]");
    const held = await hold(page, "**/v1/kv/doc");
    await page.click("#conflict-save");
    await held.asked;
    await act(page);
    await held.release();
    await shows(page, "#status", "Merged and saved");
    assert.deepEqual(await server.json("doc"), user({ name: "Anna" }));
    await hides(page, "#editor");
  });
}

test("a_save_that_fails_leaves_the_dialog_as_it_was", async () => {
  const page = await conflict();
  await byHand(page);
  await page.route("**/v1/kv/doc", (route) => route.fulfill({ status: 503 }), { times: 1 });
  await page.keyboard.press("Control+s");
  await shows(page, "#result-problem", "503");
  await page.keyboard.insertText(" ");
  assert.match(await page.inputValue("#result"), /^\{"by": "hand"\} $/);
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
});

test("line_ends_of_a_text_survive_an_edit_by_hand", async () => {
  const to = (word) => (text) => text.replace("one", word);
  const page = await race(to("1"), to("I"), "one\r\ntwo\r\n", "text/plain");
  await byHand(page, "both\ntwo\n");
  await page.click("#conflict-save");
  await shows(page, "#status", "Merged and saved");
  assert.equal(await server.text("doc"), "both\r\ntwo\r\n");
});

const stored = async () => {
  const response = await fetch(`${server.url}/v1/kv/doc`);
  return [response.headers.get("content-type"), await response.text()];
};

for (const [choice, expected] of [["theirs", ["application/json", '{"a":1}']], ["mine", ["text/plain", "mine"]]]) {
  test(`two_new_documents_of_different_types: ${choice}`, async () => {
    const page = await openLive("");
    await page.click("#new");
    await page.fill("#new-key", "doc");
    await page.fill("#new-type", "text/plain");
    await page.fill("#text", "mine");
    await server.put("doc", { a: 1 });
    await page.click("#save");
    await page.check(`.clash input[value=${choice}]`);
    await page.click("#conflict-save");
    await shows(page, "#status", "Merged and saved");
    assert.deepEqual(await stored(), expected);
  });
}

// Mine is another text, and theirs of another type, too.
async function raceOfTypes() {
  await server.put("doc", "old", { "content-type": "text/plain" });
  const page = await openLive("#key=doc");
  await page.click("#edit");
  await page.fill("#text", "mine");
  await server.put("doc", "# theirs", { "content-type": "text/markdown" });
  await page.click("#save");
  return page;
}

for (const [choice, expected] of [["theirs", ["text/markdown", "# theirs"]], ["mine", ["text/plain", "mine"]]]) {
  test(`a_type_that_was_changed_meanwhile: ${choice}`, async () => {
    const page = await raceOfTypes();
    await page.check(`.clash input[value=${choice}]`);
    await page.click("#conflict-save");
    await shows(page, "#status", "Merged and saved");
    assert.deepEqual(await stored(), expected);
  });
}

test("a_conflict_of_types_says_which", async () => {
  const page = await raceOfTypes();
  await shows(page, ".side.mine h3", "text/plain");
  await shows(page, ".side.theirs h3", "text/markdown");
});

test("a_save_whose_answer_breaks_off_is_done_once", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  await page.evaluate(() => {
    const { arrayBuffer } = Response.prototype;
    Response.prototype.arrayBuffer = () => {
      Response.prototype.arrayBuffer = arrayBuffer;
      return Promise.reject(new TypeError("network error"));
    };
  });
  await page.click("#save");
  await shows(page, "#text-problem", "saving again is safe");
  await page.click("#save");
  await shows(page, "#status", "Saved");
  assert.equal(await page.isVisible("#conflict"), false);
});

test("a_save_that_a_proxy_gave_up_on_is_done_once", async () => {
  await server.put("doc", user());
  const page = await openLive("#key=doc");
  await editTo(page, (doc) => ({ ...doc, age: 31 }));
  await page.route("**/v1/kv/doc", async (route) => {
    await route.fetch();
    await route.fulfill({ status: 504 });
  }, { times: 1 });
  await page.click("#save");
  await shows(page, "#text-problem", "504");
  await page.click("#save");
  await shows(page, "#status", "Saved");
  assert.equal(await page.isVisible("#conflict"), false);
});
