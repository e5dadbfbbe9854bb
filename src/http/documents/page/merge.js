// Three-way merge of JSON documents, by the rules of the crate's module `merge`: members of objects one by one at any
// depth, anything else is one value, arrays too; a removal against a change is a clash; where the base has nothing, two
// objects merge as if it had an empty one. Nothing that one side changed is lost silently.

import { identicalJson, memberTwice, pointer, sameJson } from "./json.js";

// Merges parsed documents; a side that is undefined has nothing there. The answer has the clashes, and `resolve`, which
// gives the document when every clash is decided: `choose` returns a node, or undefined for nothing.
export function mergeJson(base, mine, theirs) {
  const clashes = [];
  const draft = mergeValue({ base, mine, theirs }, [], clashes);
  return { clashes, resolve: (choose) => closeDraft(draft, clashes, choose) };
}

// Why documents cannot be merged by members, or null.
export function whyNotMerged(documents) {
  for (const document of documents) {
    const twice = document && memberTwice(document);
    if (twice) return `an object has the member ${JSON.stringify(twice)} twice`;
  }
  return null;
}

function mergeValue(sides, path, clashes) {
  const { base, mine, theirs } = sides;
  const areObjects = mine?.kind === "object" && theirs?.kind === "object";
  if (areObjects && (base === undefined || base.kind === "object")) {
    return mergeMembers(sides, path, clashes);
  }
  return mergeWhole(sides, path, clashes);
}

function mergeMembers({ base, mine, theirs }, path, clashes) {
  const added = [...mine.members.keys()].filter((name) => !theirs.members.has(name));
  const members = [];
  for (const name of [...theirs.members.keys(), ...added]) {
    const inner = {
      base: base?.members.get(name)?.value,
      mine: mine.members.get(name)?.value,
      theirs: theirs.members.get(name)?.value,
    };
    const draft = mergeValue(inner, [...path, name], clashes);
    if (draft) {
      const written = theirs.members.get(name) ?? mine.members.get(name);
      members.push({ key: name, name: written.name, draft });
    }
  }
  return { members };
}

function mergeWhole({ base, mine, theirs }, path, clashes) {
  let kept;
  if (same(mine, theirs)) {
    // All three may mean the same. Then who wrote it differently has changed it.
    kept = identical(theirs, base) ? mine : theirs;
  } else if (same(mine, base)) {
    kept = theirs;
  } else if (same(theirs, base)) {
    kept = mine;
  } else {
    clashes.push({ pointer: pointer(path), base, mine, theirs });
    return { clash: clashes.length - 1 };
  }
  return kept && { value: kept };
}

function same(one, other) {
  return one === undefined || other === undefined ? one === other : sameJson(one, other);
}

function identical(one, other) {
  return one === undefined || other === undefined ? one === other : identicalJson(one, other);
}

function closeDraft(draft, clashes, choose) {
  if (!draft) return undefined;
  if (draft.value) return draft.value;
  if (draft.clash !== undefined) return choose(clashes[draft.clash], draft.clash);
  const members = new Map();
  for (const { key, name, draft: inner } of draft.members) {
    const value = closeDraft(inner, clashes, choose);
    if (value) members.set(key, { name, value });
  }
  return { kind: "object", members, twice: null };
}
