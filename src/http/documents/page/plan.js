// What becomes of two versions that were made from one: merged by members if all are JSON, else one of the two.

import { isJson, treeOf } from "./entry.js";
import { writeJson } from "./json.js";
import { mergeJson, whyNotMerged } from "./merge.js";

// Each of the three is {text, contentType, deleted}, or null for nothing. The plan has the places to decide, `write`,
// which gives the text once each has a choice (null for nothing), and why it is not merged by members, if it is not.
export function planMerge(base, mine, theirs) {
  const contentType = theirs && base && theirs.contentType !== base.contentType ? theirs.contentType : mine.contentType;
  const trees = [base, mine, theirs].map((side) => side && treeOf(side));
  const isTree = (tree, side) => side === null || tree !== null;
  const areTrees = isTree(trees[0], base) && trees[1] !== null && isTree(trees[2], theirs);
  if (!areTrees) {
    const why = isJson(contentType) ? "one of the three is not JSON" : "only JSON is merged";
    return wholePlan(base, mine, theirs, contentType, why);
  }
  const why = whyNotMerged(trees);
  if (why) return wholePlan(base, mine, theirs, contentType, why);
  const merged = mergeJson(...trees.map((tree) => tree ?? undefined));
  const isOneLine = !mine.text.trim().includes("\n") && !theirs?.text.trim().includes("\n");
  const end = mine.text.endsWith("\n") ? "\n" : "";
  return {
    contentType,
    why: null,
    clashes: merged.clashes,
    write: (choose) => {
      const tree = merged.resolve(choose);
      return tree ? writeJson(tree, isOneLine ? "" : "  ") + end : null;
    },
  };
}

// The texts as one value each.
function wholePlan(base, mine, theirs, contentType, why) {
  const value = (side) => (side ? { kind: "text", text: side.text ?? "", isBinary: side.text === null } : undefined);
  const clash = { pointer: "", base: value(base), mine: value(mine), theirs: value(theirs) };
  const [old, my, their] = [clash.base, clash.mine, clash.theirs].map((side) => side?.text);
  const isOneSided = !clash.theirs?.isBinary && (my === their || their === old || my === old);
  const kept = my === old ? clash.theirs : clash.mine;
  return {
    contentType,
    why,
    clashes: isOneSided ? [] : [clash],
    write: (choose) => (isOneSided ? kept : choose(clash, 0))?.text ?? null,
  };
}
