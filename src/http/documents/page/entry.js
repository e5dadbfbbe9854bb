// A version of a document, as the server tells of it. The text of JSON is kept as it is stored.

import { member, parseJson } from "./json.js";

const HAS_CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

// From a node of an answer: {key, revision, created_revision, write_count, etag, content_type, value | base64}, or
// {key, revision, deleted}. Neither value nor base64 means that the content has to be asked for: `text` and `bytes` are null.
export function entryOf(node, source) {
  const plain = (name) => {
    const value = member(node, name);
    if (value === undefined) return undefined;
    return value.kind === "string" ? value.value : JSON.parse(value.text);
  };
  const entry = {
    key: plain("key"),
    revision: plain("revision"),
    createdRevision: plain("created_revision"),
    writeCount: plain("write_count"),
    etag: plain("etag"),
    lastModified: plain("last_modified"),
    contentType: plain("content_type") ?? "",
    deleted: plain("deleted") === true,
    bytes: null,
    text: null,
  };
  const value = member(node, "value");
  const base64 = plain("base64");
  if (value) setContent(entry, new TextEncoder().encode(source.slice(value.start, value.end)));
  else if (base64 !== undefined) setContent(entry, bytesOf(base64));
  return entry;
}

// Gives an entry its content; `text` stays null if it is not text.
export function setContent(entry, bytes) {
  entry.bytes = bytes;
  entry.text = isUtf8(entry.contentType) ? textOf(bytes) : null;
}

export function isJson(contentType) {
  const type = contentType.split(";")[0].trim().toLowerCase();
  return type === "application/json" || type === "text/json" || type.endsWith("+json");
}

// The tree of an entry that is JSON, else null.
export function treeOf(entry) {
  if (entry.deleted || entry.text === null || !isJson(entry.contentType)) return null;
  try {
    return parseJson(entry.text);
  } catch {
    return null;
  }
}

function isUtf8(contentType) {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1].toLowerCase();
  return charset === undefined || ["utf-8", "utf8", "us-ascii"].includes(charset);
}

function textOf(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return HAS_CONTROLS.test(text) ? null : text;
  } catch {
    return null;
  }
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
