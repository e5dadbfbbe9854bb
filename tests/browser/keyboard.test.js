// The page without a mouse, in the dark, on a narrow screen. How to run it: page.test.js.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { openPage, Server, startBrowser } from "./server.js";

let browser;
let server;
let page;

before(async () => { browser = await startBrowser(); });
after(() => browser.close());
beforeEach(async () => {
  server = await Server.start("--history", "50");
  for (const key of ["users/1", "users/2", "users/3"]) await server.put(key, { key, age: 30 });
});
afterEach(async () => {
  const { complaints } = page;
  await page.context().close();
  await server.stop();
  assert.deepEqual(complaints, []);
});

async function open(options) {
  page = await openPage(browser, server.url, options);
  await page.waitForSelector("[data-state=live]");
}

const focused = () => page.evaluate(() => document.activeElement.dataset.key ?? document.activeElement.id);
const shows = (selector, text) => page.locator(selector, { hasText: text }).first().waitFor();

test("everything_is_done_by_keyboard_alone", async () => {
  await open();
  const { keyboard } = page;
  await keyboard.press("j");
  assert.equal(await focused(), "users/1");
  await keyboard.press("j");
  await keyboard.press("ArrowDown");
  assert.equal(await focused(), "users/3");
  await keyboard.press("k");
  assert.equal(await focused(), "users/2");
  await keyboard.press("Enter");
  await shows("#heading", "users/2");

  await page.waitForSelector("#versions button");
  await keyboard.press("e");
  assert.equal(await focused(), "text");
  await keyboard.press("Control+a");
  await keyboard.insertText('{"age": 31}');
  await server.put("users/2", { key: "users/2", age: 30, other: true });
  await shows("#banner", "while you were editing");
  await keyboard.press("Control+s");
  await page.waitForSelector("#conflict[open]");
  await keyboard.press("Control+s");
  await shows("#status", "Merged and saved");
  assert.deepEqual(await server.json("users/2"), { age: 31, other: true });

  await keyboard.press("n");
  assert.equal(await focused(), "new-key");
  await keyboard.type("users/4");
  await keyboard.press("Tab");
  await keyboard.press("Tab");
  assert.equal(await focused(), "text");
  await keyboard.press("Control+a");
  await keyboard.insertText("[4]");
  await keyboard.press("Control+s");
  await shows("#heading", "users/4");
  assert.equal(await server.text("users/4"), "[4]");

  await keyboard.press("/");
  assert.equal(await focused(), "prefix");
  await keyboard.type("users/4");
  await shows("#list-note", "1 key");
  await keyboard.press("ArrowDown");
  assert.equal(await focused(), "users/4");
});

test("escape_leaves_an_edit_and_asks_if_something_would_be_lost", async () => {
  await open();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#versions button");
  await page.keyboard.press("e");
  await page.keyboard.press("Escape");
  assert.equal(await page.isVisible("#editor"), false);
  await page.keyboard.press("e");
  await page.keyboard.insertText("x");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#confirm[open]");
  await page.keyboard.press("Escape");
  assert.match(await page.inputValue("#text"), /^x/);
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "confirm-no", "what does no harm is the first choice");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#editor", { state: "hidden" });
  assert.equal(await focused(), "edit");
});

test("a_question_asked_in_the_frame_that_closes_another_is_answered", async () => {
  await open();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#versions button");
  await page.keyboard.press("e");
  await page.keyboard.insertText("x");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#confirm[open]");
  await page.evaluate(() => {
    document.querySelector("#confirm").close("no");
    document.querySelector("#text").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  });
  await page.click("#confirm-yes");
  await page.waitForSelector("#editor", { state: "hidden" });
});

test("a_conflict_shown_in_the_frame_that_closes_another_is_saved", async () => {
  await open();
  await page.click("#list a[href*='users%2F1']");
  await page.waitForSelector("#versions button");
  await page.click("#edit");
  await page.fill("#text", '{"age": 31}');
  await server.put("users/1", { key: "users/1", age: 30, other: true });
  await page.click("#banner .link");
  await page.waitForSelector("#conflict[open]");
  await page.evaluate(() => {
    document.querySelector("#conflict").close();
    document.querySelector("#banner .link").click();
  });
  await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
  await page.click("#conflict-save");
  await shows("#status", "Merged and saved");
  assert.deepEqual(await server.json("users/1"), { age: 31, other: true });
});

test("help_says_what_the_keys_are_and_gives_the_focus_back", async () => {
  await open();
  await page.focus("#new");
  await page.keyboard.press("?");
  await shows("#help", "Filter the keys by prefix");
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "new");
});

test("every_control_has_a_name_and_a_visible_focus", async () => {
  await open();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#versions button");
  const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, textarea, a, dialog")]
    .filter((control) => !control.textContent.trim() && !control.labels?.length
      && !control.getAttribute("aria-label") && !control.getAttribute("aria-labelledby"))
    .map((control) => control.outerHTML));
  assert.deepEqual(unnamed, []);
  await page.evaluate(() => document.activeElement.blur());
  const seen = new Set();
  for (let press = 0; press < 40; press += 1) {
    await page.keyboard.press("Tab");
    const [name, outline] = await page.evaluate(() => {
      const control = document.activeElement;
      return [control.id || control.dataset.key || control.textContent, getComputedStyle(control).outlineStyle];
    });
    if (seen.has(name) || !name || name.length > 200) continue;
    seen.add(name);
    if (name !== "main") assert.equal(outline, "solid", name);
  }
  for (const name of ["prefix", "new", "users/1", "edit", "delete", "content"]) assert.ok(seen.has(name), name);
  assert.ok(!seen.has("users/2"), "the list is one stop");
});

// The contrast of what is written, by WCAG 2.2, 1.4.3.
const contrasts = () => page.evaluate(() => {
  const channels = (color) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const [red, green, blue] = channels(color).slice(0, 3)
      .map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (start) => {
    let target = start;
    while (target && channels(getComputedStyle(target).backgroundColor)[3] < 255) target = target.parentElement;
    return target ? getComputedStyle(target).backgroundColor : "white";
  };
  return [...document.querySelectorAll("body *")]
    .filter((target) => target.checkVisibility() && [...target.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
    .map((target) => {
      const [one, other] = [light(getComputedStyle(target).color), light(behind(target))].sort((a, b) => b - a);
      return { text: target.textContent.slice(0, 30), ratio: (one + 0.05) / (other + 0.05) };
    });
});

for (const colorScheme of ["light", "dark"]) {
  test(`in_${colorScheme}_all_text_has_contrast`, async () => {
    await server.put("users/1", { a: null, b: true, c: "text", d: 1.5, e: [1] });
    await open({ colorScheme, reducedMotion: "reduce" });
    const [red] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.equal(red < 128, colorScheme === "dark");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#versions button");
    const check = async () => {
      const measured = await contrasts();
      assert.ok(measured.length > 20);
      assert.deepEqual(measured.filter(({ ratio }) => ratio < 4.5), []);
    };
    await check();
    await page.click("#versions li:nth-child(2) button");
    await page.click("[data-mode=changes]");
    await check();
    await page.click("#banner button");
    await page.click("#edit");
    await page.fill("#text", '{"a": 1}');
    await server.put("users/1", { a: 2 });
    await page.waitForSelector("#banner .link");
    await page.click("#save");
    await page.check(".clash input[value=mine]");
    await check();
  });
}

test("on_a_narrow_screen_nothing_is_cut_off", async () => {
  await open({ viewport: { width: 360, height: 700 } });
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  assert.ok(await fits());
  await page.click("#list a");
  await page.waitForSelector("#versions button");
  assert.ok(await fits());
  assert.equal(await page.isVisible("#list"), false);
  await page.click("#back");
  await page.waitForSelector("#list");
});
