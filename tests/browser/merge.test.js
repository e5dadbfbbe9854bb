// The page's own merge and diff, without a browser. The cases of the merge are those of the crate's, in
// tests/merge_cases.json: one document merged here and there becomes the same.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { diffLines } from "../../src/http/documents/page/diff.js";
import { InvalidJson, parseJson, sameJson, writeJson } from "../../src/http/documents/page/json.js";
import { mergeJson } from "../../src/http/documents/page/merge.js";

const cases = JSON.parse(await readFile(new URL("../merge_cases.json", import.meta.url), "utf8"));

for (const { name, base, mine, theirs, clashes, with_mine: expected } of cases) {
  test(`merge: ${name}`, () => {
    const merged = mergeJson(base === null ? undefined : parseJson(base), parseJson(mine), parseJson(theirs));
    assert.deepEqual(merged.clashes.map((clash) => clash.pointer), clashes);
    const document = merged.resolve((clash) => clash.mine);
    assert.equal(writeJson(document), expected);
    assert.equal(writeJson(parseJson(writeJson(document, "  "))), expected);
  });
}

test("what_json_parse_refuses_is_refused_and_what_it_takes_is_kept", () => {
  const good = ["1", "-0.5e+10", '"\\ud83d\\ude00 \\/"', " [ ] ", '{"a":[true,false,null,{}]}', "\r\n\t0", '"\u2028"'];
  for (const text of good) assert.equal(writeJson(parseJson(text)), writeJson(parseJson(text.trim())));
  const bad = ["", "01", "1.", ".5", "+1", "[1,]", '{"a":1,}', "{a:1}", "'a'", '"\t"', '"\\x"', "nul", "1 2", "[", '{"a"', "NaN", "\ufeff1", "\u00a01"];
  for (const text of bad) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    assert.throws(() => parseJson(text), InvalidJson, text);
  }
});

test("a_string_of_millions_of_letters_is_read", () => {
  for (const letters of ["x".repeat(12_000_000), "\\n".repeat(6_000_000)]) {
    assert.equal(parseJson(`"${letters}"`).text.length, letters.length + 2);
  }
});

test("numbers_of_many_digits_are_compared_at_once", () => {
  const digits = `1${"0".repeat(60_000)}`;
  const start = performance.now();
  assert.ok(!sameJson(parseJson(`${digits}1`), parseJson(`${digits}2`)));
  assert.ok(sameJson(parseJson(`${digits}.0`), parseJson(digits)));
  assert.ok(performance.now() - start < 30_000);
});

test("a_difference_has_both_texts_in_it", () => {
  let state = 7;
  const random = (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const text = () => Array.from({ length: random(12) }, () => "abc"[random(3)]).join("\n");
  for (let run = 0; run < 2000; run += 1) {
    const [before, after] = [text(), text()];
    const lines = diffLines(before, after);
    const of = (sign) => lines.filter((one) => one.sign !== sign).map((one) => one.line).join("\n");
    assert.equal(of("+"), before);
    assert.equal(of("-"), after);
  }
  assert.equal(diffLines("a\nb\nc", "a\nx\nc").filter(({ sign }) => sign === " ").length, 2);
});
