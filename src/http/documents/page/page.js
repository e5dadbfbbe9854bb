// Puts the page together: what is in the address, what comes from the watch, and what is typed.

import { access, isHeaderText, remove, Refused, setToken, whyNoKey } from "./api.js";
import { ask } from "./ask.js";
import { ConflictDialog } from "./conflict.js";
import { byId, say, show } from "./dom.js";
import { Editor } from "./editor.js";
import { hashOf, KeyList } from "./list.js";
import { DocumentView } from "./view.js";
import { Watch } from "./watch.js";

// Changes that come at once are shown at once.
const TOGETHER_MS = 40;
const RETRY_MS = 3000;

const list = new KeyList({ onStart: begin, onFailure: listFailed });
const view = new DocumentView({ onChange: documentChanged });
const watch = new Watch({ onCommit: committed, onCompacted: compacted, onState: connectionIs });
const editor = new Editor({ onSaved: saved, onEnd: render, onConflict: (conflict) => dialog.open(conflict) });
const dialog = new ConflictDialog({ onSaved: resolved, onTheirs: theirsKept, onBack: backToEditing });

function address() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const key = parts.get("key");
  const why = key === null ? null : whyNoKey(key);
  if (why) say(why, "error");
  return { key: why ? null : key, prefix: parts.get("prefix") ?? "" };
}

// What is watched: all that is listed, and the open document, which may be elsewhere.
function scope() {
  if (view.key === null) return list.prefix;
  const letters = [...view.key];
  let length = 0;
  for (const letter of list.prefix) {
    if (letters[length] !== letter) break;
    length += 1;
  }
  return letters.slice(0, length).join("");
}

function begin(revision) {
  byId("store").textContent = `Revision ${revision}`;
  watch.follow(scope(), revision);
  // The watch tells what comes after the list. What was read of the document may be from before it.
  refresh();
}

function listFailed(error) {
  if (error instanceof Refused && error.isLasting) {
    connectionIs("lost", error.status === 401 ? "No access" : "Not live");
    byId("list-note").textContent = error.message;
    return;
  }
  connectionIs("lost", "No connection, trying again");
  clearTimeout(listFailed.timer);
  listFailed.timer = setTimeout(() => list.load(list.prefix), RETRY_MS);
}

function connectionIs(state, text) {
  byId("connection").dataset.state = state;
  if (byId("connection-text").textContent !== text) byId("connection-text").textContent = text;
}

function committed(revision, events) {
  byId("store").textContent = `Revision ${revision}`;
  const newest = view.versions.at(-1)?.revision ?? 0;
  for (const event of events) {
    list.apply(event);
    if (event.key === view.key && event.revision > newest) committed.isOpenChanged = true;
  }
  committed.timer ??= setTimeout(() => {
    committed.timer = null;
    list.render();
    if (committed.isOpenChanged) refresh();
    committed.isOpenChanged = false;
  }, TOGETHER_MS);
}

// What was missed is not known any more: all is read anew.
function compacted() {
  say("Too much has changed since; everything was read anew.");
  list.load(list.prefix);
}

// Reads the open document anew, and if no answer comes, again: nobody will tell of the change once more.
async function refresh() {
  clearTimeout(refresh.timer);
  try {
    await view.refresh();
    if (byId("status").textContent === refresh.said) say("");
    refresh.said = null;
  } catch (error) {
    say(error.message, "error");
    refresh.said = error.message;
    if (error instanceof Refused && error.isLasting) return;
    clearTimeout(refresh.timer);
    refresh.timer = setTimeout(refresh, RETRY_MS);
  }
}

function documentChanged(current, isUpdate) {
  if (editor.isOpen) {
    editor.meanwhile(current);
    dialog.meanwhile(view.key, current);
  } else if (isUpdate && (current === null || current.etag !== saved.etag)) {
    say(current ? `Updated to revision ${current.revision}` : "The document was deleted", "update");
    byId("content").classList.remove("fresh");
    requestAnimationFrame(() => byId("content").classList.add("fresh"));
  }
}

// Shows what is open: a document, the editor, or nothing.
function render() {
  const isNew = editor.isOpen && editor.draft.isNew;
  const isOpen = view.key !== null || isNew;
  document.body.dataset.open = String(isOpen);
  show(byId("empty"), !isOpen);
  show(byId("document"), isOpen);
  show(byId("actions"), isOpen && !editor.isOpen);
  show(byId("facts"), isOpen && !editor.isOpen);
  if (view.key !== null) view.render();
  if (editor.isOpen) show(byId("banner"), editor.isOvertaken);
  if (isNew) byId("heading").textContent = "New document";
  document.title = view.key === null ? "ifmatch" : `${view.key} - ifmatch`;
}

// Opens what the address names. It may change again while a question is open: then the newest call acts.
async function route() {
  const turn = (route.turn ?? 0) + 1;
  route.turn = turn;
  if (address().key !== view.key && editor.isOpen) {
    const leaves = await mayLeave();
    if (turn !== route.turn) return;
    if (!leaves) {
      history.replaceState(null, "", hashOf(view.key, list.prefix));
      return;
    }
    leave();
  }
  const { key, prefix } = address();
  if (prefix !== list.prefix || !route.wasHere) {
    byId("prefix").value = prefix;
    list.load(prefix);
  }
  route.wasHere = true;
  if (key === view.key) return;
  list.open(key);
  view.close();
  view.key = key;
  render();
  if (key === null) return;
  watch.widen(scope());
  await refresh();
}

// Whether what is typed may be left, which is asked if something would be lost.
async function mayLeave() {
  if (!editor.isChanged && dialog.handText === null) return true;
  const isSaving = editor.isSaving || dialog.isSaving;
  const what = isSaving ? "It is being saved, which goes on." : "What you have typed is not saved.";
  return ask(isSaving ? "Leave your edit?" : "Discard your edit?", what, isSaving ? "Leave" : "Discard");
}

function leave() {
  dialog.end();
  editor.end();
}

function go(key, prefix = list.prefix) {
  const hash = hashOf(key, prefix);
  if (hash === location.hash || (hash === "#" && !location.hash)) route();
  else location.hash = hash;
}

function saved(key, etag) {
  saved.etag = etag;
  view.unpin();
  say("Saved");
  if (key === view.key) refresh();
  else go(key);
  byId("main").focus();
}

function resolved(key, etag) {
  editor.end();
  saved(key, etag);
  say("Merged and saved");
}

function theirsKept(key) {
  editor.end();
  if (key === view.key) refresh();
  else go(key);
  say("Theirs was kept");
  byId("main").focus();
}

// The edit goes on; a save of it will meet what is there now again.
function backToEditing({ key, theirs }, handText) {
  if (editor.draft?.isNew) say(`${key} is there already`);
  else editor.meanwhile(theirs);
  byId("text").focus();
  if (handText !== null) editor.replace(handText);
}

function edit() {
  if (editor.isOpen || !view.canEdit) return;
  const { shown, current } = view;
  const before = view.versions.findLast((version) => !version.deleted && version.text !== null);
  editor.edit(view.key, current, shown.deleted ? before ?? { text: "", contentType: "application/json" } : shown);
  render();
}

async function create() {
  if (editor.isOpen && !await mayLeave()) return;
  if (editor.isOpen) leave();
  if (view.key !== null) {
    history.pushState(null, "", hashOf(null, list.prefix));
    view.close();
    list.open(null);
  }
  editor.create();
  render();
}

async function cancel() {
  if (!await mayLeave()) return;
  leave();
  byId(view.key === null ? "new" : "edit").focus();
}

async function deleteShown() {
  const { current, key } = view;
  if (!current) return;
  const what = `${key} is deleted if revision ${current.revision} is still there.`;
  if (!await ask("Delete the document?", what, "Delete")) return;
  try {
    await remove(key, current.etag);
    say("Deleted");
    // The button goes away.
    byId("main").focus();
  } catch (error) {
    const isLate = error instanceof Refused && (error.isConflict || error.status === 404);
    const late = "Not deleted: somebody changed it meanwhile. Look at what is there now.";
    say(isLate ? late : error.message, "error");
  }
  refresh();
}

const KEYS = {
  "/": () => { byId("prefix").focus(); byId("prefix").select(); },
  "?": () => byId("help").showModal(),
  n: create,
  e: edit,
  j: () => list.step(1),
  k: () => list.step(-1),
  ArrowDown: () => list.step(1),
  ArrowUp: () => list.step(-1),
};

function onKey(event) {
  const isSave = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s";
  if (isSave && (editor.isOpen || dialog.isOpen)) {
    event.preventDefault();
    if (dialog.isOpen) dialog.save();
    else editor.save();
    return;
  }
  if (document.querySelector("dialog[open]") || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (event.target === byId("prefix")) list.step(0);
    else if (editor.isOpen) {
      // Or the same key would close the dialog that asks.
      event.preventDefault();
      cancel();
    }
    return;
  }
  const field = event.target.closest("input, textarea, select, pre");
  const isArrow = event.key.startsWith("Arrow");
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  if (field && (field.tagName !== "PRE" || isArrow)) {
    if (event.target !== byId("prefix") || event.key !== "ArrowDown") return;
  }
  // The arrows are the list's where nothing else has the focus.
  if (isArrow && ![document.body, byId("prefix"), byId("main")].includes(event.target)) return;
  event.preventDefault();
  KEYS[event.key]();
}

function demandToken(hadOne) {
  byId("token-label").textContent = hadOne ? "The server does not take this token." : "This server wants a bearer token.";
  if (!byId("access").hidden) return;
  show(byId("access"), true);
  byId("token").focus();
}

function useToken(event) {
  event.preventDefault();
  const token = byId("token").value.trim();
  if (!isHeaderText(token)) {
    byId("token-label").textContent = "A token has only letters of Latin-1.";
    return;
  }
  setToken(token);
  byId("token").value = "";
  show(byId("access"), false);
  byId("main").focus();
  list.load(list.prefix);
}

function typed() {
  clearTimeout(typed.timer);
  typed.timer = setTimeout(() => {
    const prefix = byId("prefix").value;
    if (prefix === list.prefix) return;
    history.replaceState(null, "", hashOf(view.key, prefix));
    list.load(prefix);
  }, 120);
}

access.demanded = demandToken;
show(byId("token-button"), true);
byId("token-button").addEventListener("click", () => {
  byId("token-label").textContent = "Bearer token; none to forget it";
  show(byId("access"), byId("access").hidden);
  if (!byId("access").hidden) byId("token").focus();
});
byId("access").addEventListener("submit", useToken);
byId("prefix").addEventListener("input", typed);
byId("new").addEventListener("click", create);
byId("edit").addEventListener("click", edit);
byId("delete").addEventListener("click", deleteShown);
byId("cancel").addEventListener("click", cancel);
byId("back").addEventListener("click", () => (editor.draft?.isNew ? cancel() : go(null)));
byId("skip").addEventListener("click", () => byId("main").focus());
byId("help-button").addEventListener("click", () => byId("help").showModal());
addEventListener("keydown", onKey);
addEventListener("hashchange", route);
addEventListener("online", () => watch.wake());
addEventListener("beforeunload", (event) => {
  if (editor.isChanged || dialog.handText !== null) event.preventDefault();
});
route();
