// The open document: the versions of it that are kept, one of which is shown. It is read anew when it has changed.

import { loadContent, readVersions } from "./api.js";
import { contentOf, MODES } from "./content.js";
import { byId, element, say, show, sizeText, timeText } from "./dom.js";

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
    // The revision that is shown; null is whatever is the newest.
    this.pinned = null;
    this.reading = null;
    this.isStale = false;
  }

  get current() {
    const newest = this.versions.at(-1);
    return newest && !newest.deleted ? newest : null;
  }

  get shown() {
    return this.among(this.versions);
  }

  // Of these, the one to show.
  among(versions) {
    return versions.find((version) => version.revision === this.pinned) ?? versions.at(-1) ?? null;
  }

  // Reads what there is now. While that is under way, another call has it read once more.
  async refresh() {
    if (this.key === null) return;
    if (this.reading === this.key) {
      this.isStale = true;
      return;
    }
    const { key } = this;
    this.reading = key;
    try {
      do {
        this.isStale = false;
        const versions = await readVersions(key);
        if (this.key !== key) return;
        if (isSame(versions, this.versions)) continue;
        const shown = this.among(versions);
        if (shown) await loadContent(shown);
        if (versions.length) await loadContent(versions.at(-1));
        if (this.key !== key) return;
        const before = this.versions.at(-1)?.revision;
        this.versions = versions;
        this.render();
        const after = versions.at(-1)?.revision;
        if (before !== after) this.told.onChange(this.current, before !== undefined);
      } while (this.isStale);
    } finally {
      if (this.key === key) this.reading = null;
    }
  }

  async pin(version) {
    this.pinned = version === this.versions.at(-1) ? null : version.revision;
    try {
      await loadContent(version);
    } catch (error) {
      say(error.message, "error");
      this.pinned = null;
    }
    this.render();
  }

  render() {
    const { shown, current } = this;
    byId("heading").textContent = this.key ?? "";
    this.renderFacts();
    this.renderVersions();
    show(byId("download"), Boolean(shown?.bytes));
    show(byId("edit"), Boolean(shown) && (current === null || shown.text !== null));
    byId("edit").firstChild.textContent = this.editLabel();
    show(byId("delete"), current !== null);
    const newest = this.versions.at(-1);
    const fitting = MODES.filter((mode) => shown && mode.fits(shown, newest));
    const mode = fitting.find((one) => one.name === this.mode) ?? fitting[0];
    for (const button of byId("modes").children) {
      show(button, fitting.some((one) => one.name === button.dataset.mode));
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode?.name));
    }
    byId("content").replaceChildren(...shown ? contentOf(mode.name, shown, newest) : []);
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
    show(banner, !shown || shown.deleted || shown !== newest);
    if (!shown) banner.textContent = "There is no such document.";
    else if (shown !== newest) {
      banner.replaceChildren(
        `This is revision ${shown.revision}, not what is there now. `,
        element("button", { type: "button", class: "link", onclick: () => this.pin(newest) }, "Show the newest"));
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

// Whether it would show the same. What is shown is not replaced then: it would be taken from under who is clicking on it.
function isSame(versions, shown) {
  return versions.length === shown.length
    && versions.every(({ revision, etag }, index) => revision === shown[index].revision && etag === shown[index].etag);
}
