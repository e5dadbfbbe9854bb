// The dialog when somebody else was first: what both started from, mine and theirs; what could be merged, and the places
// to decide. It saves with the revision that it shows as theirs, and if that is too late, too, it begins anew.

import { ask } from "./ask.js";
import { comparedText, marked } from "./content.js";
import { byId, element, fill, say } from "./dom.js";
import { guardText } from "./editor.js";
import { isJson } from "./entry.js";
import { parseJson, writeJson } from "./json.js";
import { planMerge } from "./plan.js";
import { lineEnds, sayLate, saveText, withLineEnds } from "./saving.js";

// So many letters of a value are shown beside its choice. All of it is in the documents above.
const MOST_LETTERS = 10_000;

export class ConflictDialog {
  // `told` has onSaved(key, etag), onTheirs(key) and onBack(conflict, handText).
  constructor(told) {
    this.told = told;
    this.dialog = byId("conflict");
    byId("conflict-form").addEventListener("submit", (event) => { event.preventDefault(); this.save(); });
    byId("conflict-cancel").addEventListener("click", () => this.dialog.close());
    byId("conflict-theirs").addEventListener("click", () => this.keepTheirs());
    byId("by-hand").addEventListener("change", () => this.onByHand());
    this.dialog.addEventListener("close", () => this.closed());
  }

  get isOpen() {
    return this.dialog.open;
  }

  get isSaving() {
    return Boolean(this.conflict?.isSaving);
  }

  // What was written by hand, or null.
  get handText() {
    const text = byId("result").value;
    return this.conflict && byId("by-hand").checked && text !== this.beforeHand ? text : null;
  }

  // `conflict` has key, base, mine and theirs; base and theirs may be null: nothing was there, nothing is.
  open(conflict) {
    this.conflict = conflict;
    this.plan = planMerge(conflict.base, conflict.mine, conflict.theirs);
    this.choices = this.plan.clashes.map(() => null);
    byId("by-hand").checked = false;
    byId("conflict-form").inert = false;
    byId("conflict-what").textContent = this.what();
    byId("conflict-guard").textContent = guardText(conflict.theirs);
    byId("conflict-theirs").textContent = conflict.theirs ? "Keep theirs" : "Leave it deleted";
    this.renderSides();
    this.renderClashes();
    this.byHand(false);
    if (!this.dialog.open) this.dialog.showModal();
    const first = byId("clashes").querySelector("input");
    (first ?? byId("conflict-save")).focus();
  }

  closed() {
    const { conflict } = this;
    // It comes a frame after the dialog was closed, when the next conflict may be open.
    if (this.dialog.open || !conflict) return;
    if (conflict.isSaving) {
      // The answer says what becomes of it.
      this.dialog.showModal();
      return;
    }
    const { handText } = this;
    this.conflict = null;
    this.told.onBack(conflict, handText);
  }

  what() {
    const { base, theirs } = this.conflict;
    const open = this.plan.clashes.length;
    const happened = !theirs
      ? "It was deleted meanwhile."
      : base ? `You edited revision ${base.revision}; meanwhile somebody saved revision ${theirs.revision}.`
        : `Somebody has created it, with revision ${theirs.revision}.`;
    const whole = this.plan.why ? ` It is not merged by members: ${this.plan.why}.` : "";
    const todo = open === 0
      ? " The changes do not touch each other, and are merged below."
      : ` ${open === 1 ? "One place was" : `${open} places were`} changed by both, and ${open === 1 ? "is" : "are"} for you to decide.`;
    return happened + whole + todo;
  }

  renderSides() {
    const { base, mine, theirs } = this.conflict;
    const texts = [base, mine, theirs].map(comparedText);
    const types = new Set([base, mine, theirs].filter(Boolean).map(({ contentType }) => contentType));
    const titleOf = (name, version) => (version && types.size > 1 ? `${name}, ${version.contentType}` : name);
    const side = (name, title, lines, absent) => element("section", { class: `side ${name}`, "aria-label": title },
      element("h3", {}, title),
      fill(
        element("pre", { tabindex: "0", role: "group", "aria-label": title }),
        lines.length ? lines : [element("span", { class: "note" }, absent)],
      ));
    const baseTitle = base ? `Base, revision ${base.revision}` : "Base";
    const theirsTitle = theirs ? `Theirs, revision ${theirs.revision}` : "Theirs";
    byId("sides").replaceChildren(
      side("base", titleOf(baseTitle, base), texts[0] ? [texts[0]] : [], "Nothing was there."),
      side("mine", titleOf("Mine, not saved", mine), marked(texts[1], texts[0], "mine"), "Nothing."),
      side("theirs", titleOf(theirsTitle, theirs), theirs ? marked(texts[2], texts[0], "theirs") : [], "It is deleted."));
  }

  renderClashes() {
    fill(byId("clashes"), this.plan.clashes.map((clash, index) => this.clash(clash, index)));
  }

  clash(clash, index) {
    const name = `clash-${index}`;
    const label = clash.pointer || "The whole document";
    const option = (value, title, node) => element("label", { class: `option ${value}` },
      element("input", { type: "radio", name, value, onchange: () => this.choose(index, value) }),
      element("span", { class: "option-title" }, title),
      element("code", {}, valueText(node)));
    const canBeOther = clash.mine?.kind !== "text";
    const other = canBeOther && element("input", {
      type: "text", class: "other", "aria-label": `Another value for ${label}, in JSON`, placeholder: "Another value, in JSON",
      spellcheck: "false", autocomplete: "off",
      oninput: () => {
        byId("clashes").querySelector(`input[name=${name}][value=other]`).checked = true;
        this.choose(index, "other");
      },
    });
    return element("fieldset", { class: "clash", "data-pointer": clash.pointer },
      element("legend", {}, element("code", {}, label)),
      element("p", { class: "was" }, "Base ", element("code", {}, valueText(clash.base))),
      option("mine", "Mine", clash.mine),
      clash.theirs?.isBinary ? null : option("theirs", "Theirs", clash.theirs),
      other ? element("label", { class: "option" },
        element("input", { type: "radio", name, value: "other", "aria-label": `Another value for ${label}`, onchange: () => { this.choose(index, "other"); other.focus(); } }),
        element("span", { class: "option-title" }, "Other"), other) : null);
  }

  choose(index, value) {
    this.choices[index] = value;
    this.renderResult();
  }

  // The value that was chosen; an InvalidJson if it was written by hand and is none.
  chosen(clash, index) {
    const choice = this.choices[index];
    if (choice === "mine") return clash.mine;
    if (choice !== "other") return clash.theirs?.isBinary ? clash.mine : clash.theirs;
    return parseJson(byId("clashes").children[index].querySelector(".other").value);
  }

  get undecided() {
    return this.choices.findIndex((choice) => choice === null);
  }

  renderResult() {
    byId("result-problem").textContent = "";
    try {
      this.result = this.plan.write((clash, index) => this.chosen(clash, index));
    } catch (error) {
      byId("result-problem").textContent = `The other value is not JSON: ${error.message}`;
      return false;
    }
    byId("result").value = this.result?.text ?? "";
    byId("result-label").textContent = this.undecided < 0
      ? this.result === null ? "Merged: nothing remains" : "Merged document"
      : "Merged as far as decided; theirs where not";
    return true;
  }

  async onByHand() {
    const box = byId("by-hand");
    if (!box.checked) {
      // It is by hand until that is answered.
      box.checked = true;
      if (this.handText !== null && !await this.mayDrop()) return;
      box.checked = false;
    }
    this.byHand(box.checked);
  }

  async mayDrop() {
    const { conflict } = this;
    const what = "What is merged above takes its place.";
    return await ask("Discard what you wrote by hand?", what, "Discard") && this.conflict === conflict;
  }

  byHand(isByHand) {
    byId("result").readOnly = !isByHand;
    for (const field of byId("clashes").querySelectorAll("fieldset")) field.disabled = isByHand;
    byId("result-problem").textContent = "";
    if (!isByHand) this.renderResult();
    this.beforeHand = byId("result").value;
    if (isByHand) byId("result").focus();
  }

  // What to save, {text, contentType}; null for nothing, undefined if there is something to do first, which is said.
  toSave() {
    if (byId("by-hand").checked) return this.writtenByHand();
    if (this.undecided >= 0) {
      const fieldset = byId("clashes").children[this.undecided];
      byId("result-problem").textContent = `Choose what becomes of ${fieldset.dataset.pointer || "the document"}.`;
      fieldset.querySelector("input").focus();
      return undefined;
    }
    return this.renderResult() ? this.result : undefined;
  }

  writtenByHand() {
    const { text: before, contentType } = this.result ?? this.conflict.mine;
    const text = byId("result").value;
    try {
      if (isJson(contentType)) parseJson(text);
      return { text: withLineEnds(text, lineEnds(before)), contentType };
    } catch (error) {
      byId("result-problem").textContent = `This is not JSON: ${error.message}`;
      byId("result").focus();
      return undefined;
    }
  }

  async save() {
    const { conflict } = this;
    if (!conflict || conflict.isSaving) return;
    const merged = this.toSave();
    if (merged === undefined) return;
    if (merged === null) {
      this.keepTheirs();
      return;
    }
    const { text, contentType } = merged;
    const focused = document.activeElement;
    this.setSaving(true);
    try {
      const { theirs, etag } = await saveText(conflict.key, text, contentType, conflict.theirs?.etag);
      if (this.conflict !== conflict) {
        sayLate(conflict.key, theirs);
        return;
      }
      if (theirs === undefined) {
        this.end();
        this.told.onSaved(conflict.key, etag);
        return;
      }
      say("Somebody was first once more.");
      this.open({ key: conflict.key, base: conflict.theirs, mine: { text, contentType, deleted: false }, theirs });
    } catch (error) {
      if (this.conflict !== conflict) {
        say(error.message, "error");
        return;
      }
      this.setSaving(false);
      byId("result-problem").textContent = error.message;
      focused.focus();
    }
  }

  // What is typed or chosen while it is being saved would be in neither the document nor the dialog.
  setSaving(isSaving) {
    this.conflict.isSaving = isSaving;
    byId("conflict-form").inert = isSaving;
  }

  keepTheirs() {
    const { key } = this.conflict;
    this.end();
    this.told.onTheirs(key);
  }

  end() {
    this.conflict = null;
    this.dialog.close();
  }

  // A change that came while it is open.
  meanwhile(key, current) {
    if (this.isSaving || this.conflict?.key !== key || this.conflict.theirs?.etag === current?.etag) return;
    byId("conflict-guard").textContent = "Somebody saved once more: saving shows that first";
  }
}

function valueText(node) {
  if (!node) return "nothing";
  if (node.isBinary) return "binary data";
  const text = node.kind === "text" ? node.text : writeJson(node, "  ");
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)} \u2026` : text;
}
