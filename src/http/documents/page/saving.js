// Saves a text under a precondition, always: it is either written over what it was made from, or nothing is.

import { newRepeat, readVersions, Refused, write } from "./api.js";
import { say } from "./dom.js";

let attempt = null;

// The answer is {etag} if the text was saved, else {theirs}: what somebody else wrote, or null if it was deleted.
export async function saveText(key, text, contentType, etag) {
  const isSame = attempt && attempt.key === key && attempt.text === text && attempt.etag === etag
    && attempt.contentType === contentType;
  // The same request once more, because no answer came, has the same name: it is not done twice.
  const own = isSame ? attempt : { key, text, contentType, etag, repeat: newRepeat() };
  attempt = own;
  const forget = () => { if (attempt === own) attempt = null; };
  try {
    const response = await write(key, text, contentType, etag, own.repeat);
    await response.arrayBuffer();
    forget();
    return { etag: response.headers.get("etag") };
  } catch (error) {
    if (!(error instanceof Refused)) {
      throw new Error("There was no answer. It may be saved or not; saving again is safe.", { cause: error });
    }
    // A proxy may answer like this to a write that was done.
    if (error.status >= 500) throw error;
    forget();
    if (!error.isConflict) throw error;
    const theirs = error.current ?? (await readVersions(key)).at(-1);
    return { theirs: theirs && !theirs.deleted ? theirs : null };
  }
}

// Says what became of a save that nobody waits for any more.
export function sayLate(key, theirs) {
  if (theirs === undefined) say(`${key} was saved`);
  else say(`${key} was not saved: somebody else was first`, "error");
}

// The ends of lines that a text had, which a text field takes away.
export function lineEnds(text) {
  const withReturn = text.match(/\r\n/g)?.length ?? 0;
  const alone = text.match(/\r(?!\n)|(?<!\r)\n/g)?.length ?? 0;
  if (!withReturn) return { end: "\n", isMixed: text.includes("\r") };
  return { end: "\r\n", isMixed: alone > 0 };
}

export function withLineEnds(text, { end }) {
  return end === "\n" ? text : text.replaceAll("\n", end);
}
