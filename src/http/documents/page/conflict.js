// The dialog when somebody else was first: what both started from, mine and theirs; what could be merged, and the places
// to decide. It saves with the revision that it shows as theirs, and if that is too late, too, it begins anew.

import { comparedText, marked } from "./content.js";
import { byId, element, say, show } from "./dom.js";
import { isJson } from "./entry.js";
import { parseJson, writeJson } from "./json.js";
import { planMerge } from "./plan.js";
import { saveText } from "./saving.js";

export class ConflictDialog {
  // `told` has onSaved(key, etag), onTheirs(key) and onBack(theirs).
  constructor(told) {
    this.told = told;
    this.dialog = byId("conflict");
    byId("conflict-form").addEventListener("submit", (event) => { event.preventDefault(); this.save(); });
    byId("conflict-cancel").addEventListener("click", () => this.dialog.close());
    byId("conflict-theirs").addEventListener("click", () => this.keepTheirs());
    byId("by-hand").addEventListener("change", () => this.onByHand());
    this.dialog.addEventListener("close", () => {
      // It comes a frame after the dialog was closed, when the next conflict may be open.
      if (this.dialog.open) return;
      const { conflict } = this;
      this.conflict = null;
      if (conflict) this.told.onBack(conflict);
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  // `conflict` has key, base, mine and theirs; base and theirs may be null: nothing was there, nothing is.
  open(conflict) {
    this.conflict = conflict;
    this.plan = planMerge(conflict.base, conflict.mine, conflict.theirs);
    this.choices = this.plan.clashes.map(() => null);
    byId("by-hand").checked = false;
    byId("conflict-what").textContent = this.what();
    byId("conflict-guard").textContent = conflict.theirs
      ? `Saved only if revision ${conflict.theirs.revision} is still there`
      : "Saved only if nothing is there";
    byId("conflict-theirs").textContent = conflict.theirs ? "Keep theirs" : "Leave it deleted";
    this.renderSides();
    this.renderClashes();
    this.onByHand();
    if (!this.dialog.open) this.dialog.showModal();
    const first = byId("clashes").querySelector("input");
    (first ?? byId("conflict-save")).focus();
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
    const side = (name, title, text, lines, absent) => element("section", { class: `side ${name}`, "aria-label": title },
      element("h3", {}, title),
      element("pre", { tabindex: "0", "aria-label": title }, ...text || lines.length ? lines : [element("span", { class: "note" }, absent)]));
    byId("sides").replaceChildren(
      side("base", base ? `Base, revision ${base.revision}` : "Base", texts[0], texts[0] ? [texts[0]] : [], "Nothing was there."),
      side("mine", "Mine, not saved", texts[1], marked(texts[1], texts[0], "mine"), "Nothing."),
      side("theirs", theirs ? `Theirs, revision ${theirs.revision}` : "Theirs", texts[2], theirs ? marked(texts[2], texts[0], "theirs") : [], "It is deleted."));
  }

  renderClashes() {
    byId("clashes").replaceChildren(...this.plan.clashes.map((clash, index) => this.clash(clash, index)));
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
    if (choice !== "other") return clash.theirs;
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
    byId("result").value = this.result ?? "";
    byId("result-label").textContent = this.undecided < 0
      ? this.result === null ? "Merged: nothing remains" : "Merged document"
      : "Merged as far as decided; theirs where not";
    return true;
  }

  onByHand() {
    const isByHand = byId("by-hand").checked;
    byId("result").readOnly = !isByHand;
    for (const field of byId("clashes").querySelectorAll("fieldset")) field.disabled = isByHand;
    byId("result-problem").textContent = "";
    if (isByHand) byId("result").focus();
    else this.renderResult();
  }

  // The text to save, or undefined if there is something to do first, which is said.
  toSave() {
    if (byId("by-hand").checked) {
      const text = byId("result").value;
      if (!isJson(this.plan.contentType)) return text;
      try {
        parseJson(text);
        return text;
      } catch (error) {
        byId("result-problem").textContent = `This is not JSON: ${error.message}`;
        byId("result").focus();
        return undefined;
      }
    }
    if (this.undecided >= 0) {
      const fieldset = byId("clashes").children[this.undecided];
      byId("result-problem").textContent = `Choose what becomes of ${fieldset.dataset.pointer || "the document"}.`;
      fieldset.querySelector("input").focus();
      return undefined;
    }
    return this.renderResult() ? this.result : undefined;
  }

  async save() {
    const { conflict } = this;
    if (!conflict || this.isSaving) return;
    const text = this.toSave();
    if (text === undefined) return;
    if (text === null) {
      this.keepTheirs();
      return;
    }
    this.isSaving = true;
    try {
      const { theirs, etag } = await saveText(conflict.key, text, this.plan.contentType, conflict.theirs?.etag);
      if (this.conflict !== conflict) return;
      if (theirs === undefined) {
        this.end();
        this.told.onSaved(conflict.key, etag);
        return;
      }
      say("Somebody was first once more.");
      const mine = { text, contentType: this.plan.contentType, deleted: false };
      this.open({ key: conflict.key, base: conflict.theirs, mine, theirs });
    } catch (error) {
      byId("result-problem").textContent = error.message;
    } finally {
      this.isSaving = false;
    }
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
  if (node.kind !== "text") return writeJson(node, "  ");
  return node.isBinary ? "binary data" : node.text;
}
