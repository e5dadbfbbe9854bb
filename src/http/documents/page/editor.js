// Writing a document: a new one, or from the version that was shown when it began. What is there meanwhile is told, and a
// save that comes too late goes to the dialog of conflicts.

import { isHeaderText, whyNoKey } from "./api.js";
import { byId, element, say, show } from "./dom.js";
import { isJson } from "./entry.js";
import { parseJson } from "./json.js";
import { lineEnds, sayLate, saveText, withLineEnds } from "./saving.js";

export class Editor {
  // `told` has onSaved(key, etag), onEnd() and onConflict(conflict).
  constructor(told) {
    this.told = told;
    this.draft = null;
    byId("editor").addEventListener("submit", (event) => { event.preventDefault(); this.save(); });
    byId("text").addEventListener("input", () => { byId("text-problem").textContent = ""; });
    byId("text").addEventListener("keydown", (event) => this.onKey(event));
  }

  get isOpen() {
    return this.draft !== null;
  }

  get isChanged() {
    return this.isOpen && (byId("text").value !== this.draft.before || (this.draft.isNew && byId("new-key").value !== ""));
  }

  get isSaving() {
    return this.isOpen && this.draft.isSaving;
  }

  create() {
    this.begin({ key: null, base: null, contentType: "application/json", text: "{\n  \n}\n", isNew: true });
    byId("new-key").value = "";
    byId("new-type").value = "application/json";
    byId("new-key").focus();
  }

  // `base` is what is there now, or null; `text` is where to begin.
  edit(key, base, from) {
    this.begin({ key, base, contentType: from.contentType, text: from.text ?? "", isNew: false });
    byId("text").focus();
    byId("text").setSelectionRange(0, 0);
  }

  begin(draft) {
    this.draft = draft;
    draft.newest = draft.base;
    draft.ends = lineEnds(draft.text);
    this.setSaving(draft, false);
    byId("text").value = draft.text;
    draft.before = byId("text").value;
    byId("text-problem").textContent = draft.ends.isMixed
      ? "Its lines end in different ways. Saved from here, they all end alike."
      : "";
    byId("guard").textContent = guardText(draft.base);
    show(byId("new-fields"), draft.isNew);
    show(byId("editor"), true);
    show(byId("reading"), false);
    show(byId("banner"), false);
  }

  // What there is now, which may not be what the edit began with.
  meanwhile(current) {
    if (!this.isOpen || this.draft.isNew) return;
    this.draft.newest = current;
    // What is being saved comes back as a change, too; the answer says what became of it.
    if (!this.draft.isSaving) this.renderMeanwhile();
  }

  // Whether somebody else was first.
  get isOvertaken() {
    return this.isOpen && this.draft.newest?.etag !== this.draft.base?.etag;
  }

  renderMeanwhile() {
    const { newest, base } = this.draft;
    show(byId("banner"), this.isOvertaken);
    byId("guard").textContent = this.isOvertaken ? "Saving shows yours and theirs first" : guardText(base);
    if (!this.isOvertaken) return;
    const what = newest ? `Revision ${newest.revision} was saved` : "Somebody deleted it";
    byId("banner").replaceChildren(
      `${what} while you were editing. `,
      element("button", { type: "button", class: "link", onclick: () => this.compare() }, "Compare now"));
  }

  compare() {
    if (!this.draft.isSaving) this.conflict(byId("text").value, this.draft.newest);
  }

  // Puts a text in place of what is written, which undo brings back.
  replace(text) {
    byId("text").focus();
    byId("text").select();
    document.execCommand(text ? "insertText" : "delete", false, text);
  }

  end() {
    this.draft = null;
    show(byId("editor"), false);
    show(byId("reading"), true);
    this.told.onEnd();
  }

  // Why it cannot be saved as it is, or null.
  wrong() {
    const { draft } = this;
    if (draft.isNew) {
      const why = whyNoKey(byId("new-key").value);
      if (why) return { field: byId("new-key"), why };
      if (!byId("new-type").value.trim()) return { field: byId("new-type"), why: "A content type is needed." };
    }
    if (!isHeaderText(this.contentType)) {
      return { field: byId("new-type"), why: "A content type has only letters of Latin-1." };
    }
    if (!isJson(this.contentType)) return null;
    try {
      parseJson(byId("text").value);
      return null;
    } catch (error) {
      return { field: byId("text"), why: `This is not JSON: ${error.message}`, at: error.at };
    }
  }

  get contentType() {
    return this.draft.isNew ? byId("new-type").value.trim() : this.draft.contentType;
  }

  async save() {
    const { draft } = this;
    if (!draft || draft.isSaving) return;
    const wrong = this.wrong();
    byId("text-problem").textContent = wrong?.why ?? "";
    if (wrong) {
      wrong.field.focus();
      if (wrong.at !== undefined) wrong.field.setSelectionRange(wrong.at, wrong.at);
      return;
    }
    const key = draft.isNew ? byId("new-key").value : draft.key;
    const text = byId("text").value;
    this.setSaving(draft, true);
    try {
      const stored = withLineEnds(text, draft.ends);
      const { theirs, etag } = await saveText(key, stored, this.contentType, draft.base?.etag);
      if (this.draft !== draft) {
        sayLate(key, theirs);
        return;
      }
      this.setSaving(draft, false);
      if (theirs !== undefined) {
        this.conflict(text, theirs, key);
        return;
      }
      this.end();
      this.told.onSaved(key, etag);
    } catch (error) {
      // It may be about a document that was left meanwhile.
      say(error.message, "error");
      if (this.draft !== draft) return;
      this.setSaving(draft, false);
      byId("text-problem").textContent = error.message;
      this.renderMeanwhile();
    }
  }

  setSaving(draft, isSaving) {
    draft.isSaving = isSaving;
    // What is typed after the text was taken would be in neither the document nor the editor.
    byId("text").readOnly = isSaving;
  }

  conflict(text, theirs, key = this.draft.key) {
    const { base, ends } = this.draft;
    this.told.onConflict({
      key, base, theirs, mine: { text: withLineEnds(text, ends), contentType: this.contentType, deleted: false },
    });
  }

  // A new line begins where the one before did.
  onKey(event) {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.target;
    if (field.readOnly) return;
    const line = field.value.slice(0, field.selectionStart).split("\n").pop();
    const margin = /^[ \t]*/.exec(line)[0] + (/[{[]\s*$/.test(line) ? "  " : "");
    if (!margin) return;
    event.preventDefault();
    // As if it had been typed, so that it can be undone.
    document.execCommand("insertText", false, "\n" + margin);
  }
}

export function guardText(base) {
  return base ? `Saved only if revision ${base.revision} is still there` : "Saved only if nothing is there";
}
