// The open document: the versions of it that are kept, one of which is shown. It is read anew when it has changed.

import { loadContent, readVersions } from "./api.js";
import { contentOf, MODES } from "./content.js";
import { byId, element, fill, say, show, sizeText, timeText } from "./dom.js";

export class DocumentView {
  // `told` has onChange(current): the newest version is another; `current` is null if there never was one.
  constructor(told) {
    this.told = told;
    this.mode = "formatted";
    this.close();
    byId("modes").append(...MODES.map((mode) => element("button", {
      type: "button", "data-mode": mode.name, onclick: () => { this.mode = mode.name; this.render(); },
    }, mode.label)));
    byId("download").addEventListener("click", () => this.download());
  }

  close() {
    this.key = null;
    this.versions = [];
    // Whether it is known which there are.
    this.isRead = false;
    this.reading = null;
    // The revision that is shown; null is whatever is the newest.
    this.unpin();
  }

  get current() {
    const newest = this.versions.at(-1);
    return newest && !newest.deleted ? newest : null;
  }

  get shown() {
    return this.among(this.versions);
  }

  // Whether an edit may begin from what is shown. A document that was deleted may be written again.
  get canEdit() {
    const { shown, current } = this;
    return Boolean(shown) && (shown.deleted ? current === null : shown.text !== null);
  }

  // Of these, the one to show.
  among(versions) {
    return versions.find((version) => version.revision === this.pinned) ?? versions.at(-1) ?? null;
  }

  // Reads what there is now. While that is under way, another call has it read once more.
  refresh() {
    if (this.key === null) return Promise.resolve();
    if (this.reading) this.reading.isStale = true;
    else {
      this.reading = { isStale: true };
      this.reading.done = this.readWhileStale(this.reading);
    }
    return this.reading.done;
  }

  async readWhileStale(reading) {
    try {
      while (this.reading === reading && reading.isStale) {
        reading.isStale = false;
        await this.read(reading).catch((error) => {
          // What was asked for since may be answered.
          if (this.reading === reading && !reading.isStale) throw error;
        });
      }
    } finally {
      if (this.reading === reading) this.reading = null;
    }
  }

  async read(reading) {
    const found = await readVersions(this.key);
    if (this.reading !== reading) return;
    // A version never changes: one that is known keeps the content that was loaded.
    const versions = found.map((version) => this.versions.find((known) => isSame(known, version)) ?? version);
    if (this.isRead && isSameList(versions, this.versions)) return;
    if (versions.length) {
      await loadContent(this.among(versions));
      await loadContent(versions.at(-1));
    }
    if (this.reading !== reading) return;
    const before = this.versions.at(-1)?.revision;
    this.versions = versions;
    this.isRead = true;
    this.render();
    if (before !== versions.at(-1)?.revision) this.told.onChange(this.current, before !== undefined);
  }

  // Shows a version when its content is there, if nothing else was asked for since.
  async pin(version) {
    this.wanted = version;
    try {
      await loadContent(version);
    } catch (error) {
      if (this.wanted === version) say(error.message, "error");
      return;
    }
    if (this.wanted !== version) return;
    this.pinned = version === this.versions.at(-1) ? null : version.revision;
    this.render();
  }

  pinNewest() {
    this.pin(this.versions.at(-1));
    // The button goes away.
    byId("main").focus();
  }

  unpin() {
    this.wanted = null;
    this.pinned = null;
  }

  render() {
    const { shown, current } = this;
    byId("heading").textContent = this.key ?? "";
    this.renderFacts();
    this.renderVersions();
    show(byId("download"), Boolean(shown?.bytes));
    show(byId("edit"), this.canEdit);
    byId("edit").firstChild.textContent = this.editLabel();
    show(byId("delete"), current !== null);
    const newest = this.versions.at(-1);
    const fitting = MODES.filter((mode) => shown && mode.fits(shown, newest));
    const mode = fitting.find((one) => one.name === this.mode) ?? fitting[0];
    for (const button of byId("modes").children) {
      show(button, fitting.some((one) => one.name === button.dataset.mode));
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode?.name));
    }
    fill(byId("content"), shown ? contentOf(mode.name, shown, newest) : []);
    byId("content").dataset.mode = mode?.name ?? "";
    this.renderBanner();
  }

  editLabel() {
    if (this.pinned !== null && this.shown !== this.current) return "Edit from here";
    return this.current ? "Edit" : "Write again";
  }

  renderBanner() {
    // While somebody writes, it says what happens meanwhile.
    if (!byId("editor").hidden) return;
    const { shown } = this;
    const banner = byId("banner");
    const newest = this.versions.at(-1);
    show(banner, this.isRead && (!shown || shown.deleted || shown !== newest));
    if (!shown) banner.textContent = "There is no such document.";
    else if (shown !== newest) {
      banner.replaceChildren(
        `This is revision ${shown.revision}, not what is there now. `,
        element("button", { type: "button", class: "link", onclick: () => this.pinNewest() }, "Show the newest"));
    } else if (shown.deleted) banner.textContent = `It was deleted at revision ${shown.revision}.`;
  }

  renderFacts() {
    const { shown } = this;
    const facts = !shown ? [] : shown.deleted ? [["Revision", shown.revision]] : [
      ["Revision", shown.revision],
      ["Created at revision", shown.createdRevision],
      ["Writes", shown.writeCount],
      ["Content type", shown.contentType],
      ["Size", shown.bytes && sizeText(shown.bytes.length)],
      ["Last modified", shown.lastModified && timeText(shown.lastModified)],
    ];
    byId("facts").replaceChildren(...facts
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))));
  }

  renderVersions() {
    const { shown } = this;
    const hadFocus = byId("versions").contains(document.activeElement);
    byId("versions").replaceChildren(...this.versions.toReversed().map((version) => {
      const what = version.deleted ? "deleted" : version.bytes ? sizeText(version.bytes.length) : "not loaded";
      return element("li", {}, element("button", {
        type: "button", "aria-current": version === shown && "true", onclick: () => this.pin(version),
      },
      element("span", { class: "revision" }, String(version.revision)),
      element("span", { class: "what" }, version === this.versions.at(-1) ? `newest, ${what}` : what),
      version.lastModified ? element("time", {}, timeText(version.lastModified, "short")) : null));
    }));
    if (hadFocus) byId("versions").querySelector("[aria-current]")?.focus();
    byId("history-note").textContent = this.versions.length === 1 ? "No other version is kept." : "";
  }

  download() {
    const { shown } = this;
    const url = URL.createObjectURL(new Blob([shown.bytes], { type: "application/octet-stream" }));
    element("a", { href: url, download: shown.key.split("/").pop() }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

function isSame(one, other) {
  return one.revision === other.revision && one.etag === other.etag;
}

// What is shown is not replaced by the same: it would be taken from under who is clicking on it.
function isSameList(some, others) {
  return some.length === others.length && some.every((version, index) => version === others[index]);
}
