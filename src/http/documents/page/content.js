// Shows what a document holds: formatted, as it is stored, or what differs between two versions.

import { diffLines } from "./diff.js";
import { element, sizeText } from "./dom.js";
import { treeOf } from "./entry.js";
import { memberTwice, writeJson } from "./json.js";

// Past so many letters the text is shown without colours, and past more not at all.
const MOST_COLOURED = 200_000;
const MOST_SHOWN = 2_000_000;

// So many lines are marked one by one.
const MOST_MARKED = 10_000;

// Lines that are alike are shown so far around those that are not.
const NEAR = 3;

export const MODES = [
  { name: "formatted", label: "Formatted", fits: (entry) => wholeTree(entry) !== null },
  { name: "stored", label: "As stored", fits: () => true },
  { name: "changes", label: "Changes", fits: (entry, current) => current !== entry },
];

// The tree of a document, if it has all that is in the text: of members with the same name it has the last.
function wholeTree(entry) {
  const tree = treeOf(entry);
  return tree && memberTwice(tree) === null ? tree : null;
}

// The text that versions are compared by.
export function comparedText(entry) {
  if (!entry || entry.deleted || entry.text === null) return entry?.bytes ? `(${sizeText(entry.bytes.length)} of binary data)` : "";
  const tree = wholeTree(entry);
  return tree ? writeJson(tree, "  ") : entry.text;
}

export function contentOf(mode, entry, current) {
  if (mode === "changes") return changes(comparedText(entry), comparedText(current));
  if (entry.deleted) return [note("The document was deleted with this revision.")];
  if (entry.text === null) return [note(`${sizeText(entry.bytes.length)} of binary data. Download it to look at it.`)];
  if (entry.text.length > MOST_SHOWN) return [note(`${sizeText(entry.bytes.length)}: too long to show. Download it to look at it.`)];
  if (mode === "stored") return [entry.text];
  const tree = treeOf(entry);
  if (entry.text.length > MOST_COLOURED) return [writeJson(tree, "  ")];
  const parts = [];
  paint(tree, "\n", parts);
  return parts;
}

function note(text) {
  return element("span", { class: "note" }, text);
}

function paint(node, margin, parts) {
  const inner = margin + "  ";
  const isObject = node.kind === "object";
  if (!isObject && node.kind !== "array") {
    parts.push(element("span", { class: `json-${node.kind}` }, node.text));
    return;
  }
  const members = isObject ? [...node.members.values()] : node.items.map((value) => ({ value }));
  const [open, close] = isObject ? "{}" : "[]";
  parts.push(open);
  members.forEach(({ name, value }, index) => {
    parts.push((index ? "," : "") + inner);
    if (isObject) parts.push(element("span", { class: "json-name" }, name), ": ");
    paint(value, inner, parts);
  });
  parts.push((members.length ? margin : "") + close);
}

function changes(before, after) {
  if (Math.max(before.length, after.length) > MOST_SHOWN) return [note("It is too long to compare.")];
  const lines = diffLines(before, after);
  if (lines.every(({ sign }) => sign === " ")) return [note("There is no difference in what it says.")];
  const isNear = new Set();
  lines.forEach(({ sign }, index) => {
    if (sign === " ") return;
    for (let near = index - NEAR; near <= index + NEAR; near += 1) isNear.add(near);
  });
  const shown = [];
  let skipped = 0;
  const flush = () => {
    if (skipped) shown.push({ kind: "gap", text: `${linesText(skipped)} alike` });
    skipped = 0;
  };
  lines.forEach(({ sign, line }, index) => {
    if (!isNear.has(index)) {
      skipped += 1;
      return;
    }
    flush();
    const kind = { "+": "added", "-": "removed", " ": "alike" }[sign];
    shown.push({ kind, text: `${sign} ${line}` });
  });
  flush();
  const rest = shown.splice(MOST_MARKED).length;
  if (rest) shown.push({ kind: "gap", text: `${linesText(rest)} more, too many to show` });
  return shown.map(({ kind, text }) => element("span", { class: `line ${kind}` }, text));
}

function linesText(count) {
  return `${count.toLocaleString()} ${count === 1 ? "line" : "lines"}`;
}

// A text, with the lines marked that are not in `other`; without marks if it is long.
export function marked(text, other, kind) {
  if ([text, other].some((one) => one.split("\n", MOST_MARKED + 1).length > MOST_MARKED)) return [text];
  return diffLines(other, text)
    .filter(({ sign }) => sign !== "-")
    .map(({ sign, line }) => element("span", { class: sign === "+" ? `line ${kind}` : "line" }, line || " "));
}
