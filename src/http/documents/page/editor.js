// Writing a document: a new one, or from the version that was shown when it began. What is there meanwhile is told, and a
// save that comes too late goes to the dialog of conflicts.

import { whyNoKey } from "./api.js";
import { byId, element, say, show } from "./dom.js";
import { isJson } from "./entry.js";
import { parseJson } from "./json.js";
import { lineEnds, saveText, withLineEnds } from "./saving.js";

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
    draft.ends = lineEnds(draft.text);
    byId("text").readOnly = false;
    byId("text").value = draft.text;
    draft.before = byId("text").value;
    byId("text-problem").textContent = draft.ends.isMixed
      ? "Its lines end in different ways. Saved from here, they all end alike."
      : "";
    byId("guard").textContent = draft.base
      ? `Saved only if revision ${draft.base.revision} is still there`
      : "Saved only if nothing is there";
    show(byId("new-fields"), draft.isNew);
    show(byId("editor"), true);
    show(byId("reading"), false);
    show(byId("banner"), false);
  }

  // What there is now, in case it is not what the edit began with.
  meanwhile(current) {
    // What is being saved comes back as a change, too; the answer says what became of it.
    if (!this.isOpen || this.draft.isSaving || this.draft.isNew || this.draft.base?.etag === current?.etag) return;
    this.draft.meanwhile = current;
    const banner = byId("banner");
    show(banner, true);
    banner.replaceChildren(
      current ? `Somebody saved revision ${current.revision} while you were editing. ` : "Somebody deleted it while you were editing. ",
      element("button", { type: "button", class: "link", onclick: () => this.compare() }, "Compare now"));
    byId("guard").textContent = "Saving shows yours and theirs first";
  }

  compare() {
    this.conflict(byId("text").value, this.draft.meanwhile ?? null);
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
    draft.isSaving = true;
    // What is typed after the text was taken would be in neither the document nor the editor.
    byId("text").readOnly = true;
    try {
      const stored = withLineEnds(text, draft.ends);
      const { theirs, etag } = await saveText(key, stored, this.contentType, draft.base?.etag);
      if (this.draft !== draft) return;
      if (theirs !== undefined) {
        this.conflict(text, theirs, key);
        return;
      }
      this.end();
      this.told.onSaved(key, etag);
    } catch (error) {
      byId("text-problem").textContent = error.message;
      say(error.message, "error");
    } finally {
      draft.isSaving = false;
      byId("text").readOnly = false;
    }
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
    const line = field.value.slice(0, field.selectionStart).split("\n").pop();
    const margin = /^[ \t]*/.exec(line)[0] + (/[{[]\s*$/.test(line) ? "  " : "");
    if (!margin) return;
    event.preventDefault();
    field.setRangeText("\n" + margin, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input"));
  }
}
