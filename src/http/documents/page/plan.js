// What becomes of two versions that were made from one: merged by members if all are JSON, else one of the two.

import { isJson, treeOf } from "./entry.js";
import { writeJson } from "./json.js";
import { mergeJson, whyNotMerged } from "./merge.js";

// Each of the three is {text, contentType, deleted}, or null for nothing. The plan has the places to decide; `write`,
// which gives {text, contentType} once each has a choice, or null for nothing; and why it is not merged by members.
export function planMerge(base, mine, theirs) {
  const contentType = theirs && base && theirs.contentType !== base.contentType ? theirs.contentType : mine.contentType;
  const trees = [base, mine, theirs].map((side) => side && treeOf(side));
  const isTree = (tree, side) => side === null || tree !== null;
  const areTrees = isTree(trees[0], base) && trees[1] !== null && isTree(trees[2], theirs);
  if (!areTrees) {
    const why = isJson(contentType) ? "one of the three is not JSON" : "only JSON is merged";
    return wholePlan(base, mine, theirs, why);
  }
  const why = whyNotMerged(trees);
  if (why) return wholePlan(base, mine, theirs, why);
  const merged = mergeJson(...trees.map((tree) => tree ?? undefined));
  const isOneLine = !mine.text.trim().includes("\n") && !theirs?.text.trim().includes("\n");
  const end = mine.text.endsWith("\n") ? "\n" : "";
  return {
    why: null,
    clashes: merged.clashes,
    write: (choose) => {
      const tree = merged.resolve(choose);
      return tree ? { text: writeJson(tree, isOneLine ? "" : "  ") + end, contentType } : null;
    },
  };
}

// Each as one value, a text of a type: what one of the two has changed of it cannot be joined with what the other has.
function wholePlan(base, mine, theirs, why) {
  const [old, my, their] = [base, mine, theirs].map(wholeValue);
  const isOneSided = !their?.isBinary && (isSameValue(my, their) || isSameValue(their, old) || isSameValue(my, old));
  const kept = isSameValue(my, old) ? their : my;
  const clash = { pointer: "", base: old, mine: my, theirs: their };
  return {
    why,
    clashes: isOneSided ? [] : [clash],
    write: (choose) => {
      const value = isOneSided ? kept : choose(clash, 0);
      return value ? { text: value.text, contentType: value.contentType } : null;
    },
  };
}

function wholeValue(side) {
  if (!side) return undefined;
  return { kind: "text", text: side.text ?? "", isBinary: side.text === null, contentType: side.contentType };
}

function isSameValue(one, other) {
  return one?.text === other?.text && one?.contentType === other?.contentType && one?.isBinary === other?.isBinary;
}
