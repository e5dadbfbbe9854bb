// The list of keys with a prefix. Its pages show one revision; what was committed since is laid over them, so that a page
// that is asked for later still shows what is there now.

import { listPage, Refused } from "./api.js";
import { byId, element, say, show } from "./dom.js";

export class KeyList {
  // `told` has onStart(revision) and onFailure(error).
  constructor(told) {
    this.told = told;
    this.prefix = "";
    this.opened = null;
    this.focused = null;
    this.generation = 0;
    // The rows that are shown, by key, in order.
    this.rows = new Map();
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
    this.isLeft = false;
  }

  async load(prefix) {
    this.generation += 1;
    const { generation } = this;
    this.prefix = prefix;
    // Until this list comes, the one before is shown: it has no more pages, and its links do not bring its prefix back.
    this.isLeft = true;
    show(byId("more"), false);
    this.updateAll();
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
    if (!this.next || this.isLoading || this.isLeft) return;
    const { generation } = this;
    const before = this.last;
    this.isLoading = true;
    try {
      const page = await listPage(this.prefix, this.next);
      if (generation !== this.generation) return;
      // Nothing is taken from who went elsewhere meanwhile.
      const isFree = this.hasFocus || [byId("more"), document.body].includes(document.activeElement);
      this.take(page);
      const first = this.keys().find((key) => compareKeys(key, before) > 0);
      if (first !== undefined && isFree) this.focus(first);
    } catch (error) {
      if (generation !== this.generation) return;
      // The revision of the pages is not kept any more: they begin anew.
      if (error instanceof Refused && error.status === 410) this.load(this.prefix);
      else say(error.message, "error");
    } finally {
      if (generation === this.generation) this.isLoading = false;
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

  get hasFocus() {
    return byId("list").contains(document.activeElement);
  }

  // Rows that stay are not touched but for what they say: one may be under the mouse.
  render() {
    const keys = this.keys();
    const { hasFocus } = this;
    this.focused = this.entrance(keys);
    const rows = new Map(keys.map((key) => [key, this.rows.get(key) ?? row(key, () => this.mark(key))]));
    for (const [key, gone] of this.rows) if (!rows.has(key)) gone.remove();
    this.rows = rows;
    let next = byId("list").firstChild;
    for (const one of rows.values()) {
      if (one === next) next = next.nextSibling;
      else byId("list").insertBefore(one, next);
    }
    this.updateAll();
    if (hasFocus && !this.hasFocus && keys.length) this.focus(this.focused, { preventScroll: true });
    show(byId("more"), Boolean(this.next) && !this.isLeft);
    byId("list-note").textContent = this.note(keys.length);
  }

  // The key that the list is entered at. Who is at one that goes away gets to the next.
  entrance(keys) {
    if (keys.includes(this.focused)) return this.focused;
    if (this.hasFocus) return keys.find((key) => compareKeys(key, this.focused) > 0) ?? keys.at(-1);
    return keys.includes(this.opened) ? this.opened : keys[0];
  }

  note(count) {
    if (count) return `${count.toLocaleString()} ${count === 1 ? "key" : "keys"}${this.next ? ", and more" : ""}`;
    return this.prefix ? "No key begins like this." : "Nothing is stored yet. Write the first document with New.";
  }

  updateAll() {
    for (const key of this.rows.keys()) this.update(key);
  }

  update(key) {
    const link = this.link(key);
    const known = this.since.get(key) ?? this.pages.get(key);
    // It was deleted, and its row goes away with the next rendering.
    if (!known) return;
    link.href = hashOf(key, this.prefix);
    link.title = `${key}, revision ${known.revision}, ${known.contentType}`;
    link.tabIndex = key === this.focused ? 0 : -1;
    if (key === this.opened) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (known.isNew) link.dataset.new = "";
    known.isNew = false;
  }

  link(key) {
    return this.rows.get(key)?.firstChild;
  }

  mark(key) {
    const before = this.link(this.focused);
    if (before) before.tabIndex = -1;
    this.focused = key;
    this.link(key).tabIndex = 0;
  }

  focus(key, options) {
    this.link(key)?.focus(options);
  }

  open(key) {
    this.opened = key;
    if (this.rows.has(key)) this.focused = key;
    this.updateAll();
  }

  // Goes on or back; enters the list where it was left.
  step(by) {
    const keys = this.keys();
    if (!keys.length) return;
    const at = keys.indexOf(this.focused);
    const next = this.hasFocus ? at + by : at;
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

function row(key, onfocus) {
  const cut = key.lastIndexOf("/") + 1;
  const link = element("a", { onfocus, onanimationend: () => { delete link.dataset.new; } },
    element("span", { class: "folder" }, key.slice(0, cut)),
    element("span", { class: "leaf" }, key.slice(cut)));
  link.dataset.key = key;
  return element("li", {}, link);
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
