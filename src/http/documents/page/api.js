// Requests to the server. Every path is relative to where the page is, so that the router may be nested anywhere.
// The token is in the session's storage only, and goes nowhere but into the header.

import { entryOf, setContent } from "./entry.js";
import { member, parseJson } from "./json.js";

const TOKEN = "ifmatch-token";
// Longer than a large answer takes on a slow line. The watch, which has no end, looks after itself.
const LONGEST_REQUEST_MS = 600_000;
const BASE = location.pathname.endsWith("/") ? location.pathname : location.pathname + "/";

// What is called when the server wants a token, or another one.
export const access = { demanded: () => {} };

export function setToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

// An answer that is no success. `problem` is its document (RFC 9457), or {}.
export class Refused extends Error {
  constructor(status, problem, source) {
    super(problem.detail ?? problem.title ?? `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
    this.source = source;
  }

  // Whether the same request would be refused again. What is no `Refused` is a server that did not answer.
  get isLasting() {
    return this.status < 500 && this.status !== 429;
  }

  get kind() {
    return String(this.problem.type ?? "").split("/").pop();
  }

  // Whether somebody else was first. Elsewhere 412 may come without a document that says so.
  get isConflict() {
    return ["stale-revision", "already-exists", "not-found"].includes(this.kind)
      && [409, 412].includes(this.status);
  }

  // What is there now, if the answer has it.
  get current() {
    if (this.source === null) return null;
    const root = parseJson(this.source);
    const current = root.kind === "object" ? member(root, "current") : undefined;
    return current?.kind === "object" ? entryOf(current, this.source) : null;
  }
}

export async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const signal = options.signal ?? AbortSignal.timeout(LONGEST_REQUEST_MS);
  const response = await fetch(BASE + path, {
    ...options, headers, signal, cache: "no-store", credentials: "same-origin", redirect: "error",
  });
  if (response.ok) return response;
  // An answer to the token before this one says nothing of this one.
  if (response.status === 401 && token === sessionStorage.getItem(TOKEN)) access.demanded(Boolean(token));
  throw await refusal(response);
}

async function refusal(response) {
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json");
  if (!isProblem) return new Refused(response.status, {}, null);
  const source = await response.text();
  try {
    return new Refused(response.status, JSON.parse(source), source);
  } catch {
    return new Refused(response.status, {}, null);
  }
}

// Whether a text can be sent in a header.
export function isHeaderText(text) {
  return !/[^\t\u0020-\u007e\u0080-\u00ff]/.test(text);
}

// Why a text is no key, or null. The server has the same rules, but a browser resolves "." and ".." in a path before it
// asks, so that another document would be written than the one that was named.
export function whyNoKey(key) {
  if (!key) return "A key has at least one character.";
  if (!isText(key)) return "A key is text; this has half a character in it.";
  if (new TextEncoder().encode(key).length > 1024) return "A key has at most 1,024 bytes.";
  if (/[\u0000-\u001f\u007f-\u009f]/.test(key)) return "A key has no control characters.";
  for (const segment of key.split("/")) {
    if (segment === "") return "A key has no empty segments: no / at either end, no //.";
    if (segment === "." || segment === "..") return "A key has no segments . and ..";
  }
  return null;
}

function isText(key) {
  try {
    encodeURIComponent(key);
    return true;
  } catch {
    return false;
  }
}

function pathOf(collection, key) {
  const why = whyNoKey(key);
  if (why) throw new Error(why);
  return `${collection}/${key.split("/").map(encodeURIComponent).join("/")}`;
}

export async function listPage(prefix, cursor) {
  const query = new URLSearchParams({ prefix, limit: "100" });
  if (cursor) query.set("cursor", cursor);
  return (await request(`v1/kv?${query}`)).json();
}

// The versions of a document that are kept, oldest first; none if there never was one.
export async function readVersions(key) {
  let source;
  try {
    source = await (await request(pathOf("v1/history", key))).text();
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return [];
    if (error instanceof Refused && [410, 501].includes(error.status)) return readOnly(key);
    throw error;
  }
  return member(parseJson(source), "versions").items.map((version) => entryOf(version, source));
}

// Where no history is kept: what is there now.
async function readOnly(key) {
  const response = await readAt(key).catch((error) => {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  });
  if (!response) return [];
  const count = (name) => {
    const text = response.headers.get(name);
    return text === null ? undefined : Number(text);
  };
  const entry = {
    key,
    revision: count("ifmatch-revision"),
    createdRevision: count("ifmatch-created-revision"),
    writeCount: count("ifmatch-write-count"),
    etag: response.headers.get("etag"),
    lastModified: response.headers.get("last-modified"),
    contentType: response.headers.get("content-type") ?? "",
    deleted: false,
  };
  setContent(entry, new Uint8Array(await response.arrayBuffer()));
  return [entry];
}

function readAt(key, revision) {
  return request(pathOf("v1/kv", key) + (revision ? `?at=${revision}` : ""));
}

// The content of a version that came without.
export async function loadContent(entry) {
  if (entry.deleted || entry.bytes) return;
  const response = await readAt(entry.key, entry.revision);
  setContent(entry, new Uint8Array(await response.arrayBuffer()));
}

// Writes `text` if the document is still the one with `etag`; if there is none, if nothing is there.
export function write(key, text, contentType, etag, repeat) {
  return request(pathOf("v1/kv", key), {
    method: "PUT",
    body: new TextEncoder().encode(text),
    headers: {
      "Content-Type": contentType,
      "Prefer": "return=representation",
      "Idempotency-Key": repeat,
      ...(etag ? { "If-Match": etag } : { "If-None-Match": "*" }),
    },
  });
}

export function remove(key, etag) {
  return request(pathOf("v1/kv", key), { method: "DELETE", headers: { "If-Match": etag } });
}

// Names a write, so that one whose answer was lost can be sent again and is done once.
export function newRepeat() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `"${Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}
