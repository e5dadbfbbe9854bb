// The list of keys with a prefix. Its pages show one revision; what was committed since is laid over them, so that a page
// that is asked for later still shows what is there now.

import { listPage, Refused } from "./api.js";
import { byId, element, show } from "./dom.js";

export class KeyList {
  // `told` has onStart(revision) and onFailure(error).
  constructor(told) {
    this.told = told;
    this.prefix = "";
    this.opened = null;
    this.focused = null;
    this.generation = 0;
    this.clear();
    byId("more").addEventListener("click", () => this.more());
    byId("list").addEventListener("keydown", (event) => this.onKey(event));
  }

  clear() {
    // What the pages said, and what was said since: key -> {revision, contentType}, or null for a deleted one.
    this.pages = new Map();
    this.since = new Map();
    this.next = null;
    this.last = null;
    this.isLoading = false;
  }

  async load(prefix) {
    this.generation += 1;
    const { generation } = this;
    this.prefix = prefix;
    try {
      const page = await listPage(prefix, null);
      if (generation !== this.generation) return;
      this.clear();
      this.take(page);
      this.told.onStart(page.revision);
    } catch (error) {
      if (generation === this.generation) this.told.onFailure(error);
    }
  }

  async more() {
    if (!this.next || this.isLoading) return;
    const { generation } = this;
    const before = this.last;
    this.isLoading = true;
    try {
      const page = await listPage(this.prefix, this.next);
      if (generation !== this.generation) return;
      this.isLoading = false;
      this.take(page);
      const first = this.keys().find((key) => compareKeys(key, before) > 0);
      if (first !== undefined) this.focus(first);
    } catch (error) {
      if (generation !== this.generation) return;
      this.isLoading = false;
      // The revision of the pages is not kept any more: they begin anew.
      if (error instanceof Refused && error.status === 410) this.load(this.prefix);
      else this.told.onFailure(error);
    }
  }

  take(page) {
    for (const item of page.items) {
      this.pages.set(item.key, { revision: item.revision, contentType: item.content_type });
      this.last = item.key;
    }
    this.next = page.next;
    this.render();
  }

  // A change that was committed.
  apply(change) {
    if (!change.key.startsWith(this.prefix)) return;
    const isPut = change.type === "put";
    this.since.set(change.key, isPut
      ? { revision: change.revision, contentType: change.content_type, isNew: true }
      : null);
  }

  // The keys to show: of those behind the last page it is not known which there are.
  keys() {
    const isShown = (key) => this.since.get(key) !== null && (!this.next || compareKeys(key, this.last) <= 0);
    return [...new Set([...this.pages.keys(), ...this.since.keys()])].filter(isShown).sort(compareKeys);
  }

  render() {
    const keys = this.keys();
    const hadFocus = byId("list").contains(document.activeElement);
    if (!keys.includes(this.focused)) this.focused = keys.includes(this.opened) ? this.opened : keys[0];
    byId("list").replaceChildren(...keys.map((key) => this.row(key)));
    if (hadFocus && this.focused !== undefined) this.link(this.focused)?.focus();
    show(byId("more"), Boolean(this.next));
    byId("list-note").textContent = this.note(keys.length);
  }

  note(count) {
    if (count) return `${count.toLocaleString()} ${count === 1 ? "key" : "keys"}${this.next ? ", and more" : ""}`;
    return this.prefix ? "No key begins like this." : "Nothing is stored yet. Write the first document with New.";
  }

  row(key) {
    const known = this.since.get(key) ?? this.pages.get(key);
    const cut = key.lastIndexOf("/") + 1;
    const link = element("a", {
      href: hashOf(key, this.prefix),
      tabindex: key === this.focused ? "0" : "-1",
      "aria-current": key === this.opened && "page",
      "data-new": known.isNew,
      title: `${key}, revision ${known.revision}, ${known.contentType}`,
      onfocus: () => this.mark(key),
    },
    element("span", { class: "folder" }, key.slice(0, cut)),
    element("span", { class: "leaf" }, key.slice(cut)));
    link.dataset.key = key;
    known.isNew = false;
    return element("li", {}, link);
  }

  link(key) {
    return [...byId("list").querySelectorAll("a")].find((link) => link.dataset.key === key);
  }

  mark(key) {
    if (this.focused !== undefined) this.link(this.focused)?.setAttribute("tabindex", "-1");
    this.focused = key;
    this.link(key)?.setAttribute("tabindex", "0");
  }

  focus(key) {
    this.link(key)?.focus();
  }

  open(key) {
    this.opened = key;
    for (const link of byId("list").querySelectorAll("a")) {
      if (link.dataset.key === key) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (this.link(key)) this.mark(key);
  }

  // Goes on or back; enters the list where it was left.
  step(by) {
    const keys = this.keys();
    if (!keys.length) return;
    const isInside = byId("list").contains(document.activeElement);
    const at = keys.indexOf(this.focused);
    const next = isInside ? at + by : at;
    if (next >= keys.length) this.more();
    this.focus(keys[Math.max(0, Math.min(keys.length - 1, next))]);
  }

  onKey(event) {
    const keys = this.keys();
    const goes = { ArrowDown: () => this.step(1), ArrowUp: () => this.step(-1), Home: () => this.focus(keys[0]), End: () => this.focus(keys.at(-1)) };
    if (!goes[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    goes[event.key]();
  }
}

export function hashOf(key, prefix) {
  const parts = [];
  if (key !== null) parts.push(`key=${encodeURIComponent(key)}`);
  if (prefix) parts.push(`prefix=${encodeURIComponent(prefix)}`);
  return "#" + parts.join("&");
}

// By bytes in UTF-8, as the server does; JavaScript compares halves of characters.
export function compareKeys(one, other) {
  const left = [...one];
  const right = [...other];
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    if (left[index] !== right[index]) return left[index].codePointAt(0) - right[index].codePointAt(0);
  }
  return left.length - right.length;
}
