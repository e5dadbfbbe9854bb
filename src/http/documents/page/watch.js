// Follows the commits: server-sent events (WHATWG HTML 9.2) read by fetch, because an EventSource sends no token. It comes
// back by itself with the last id it saw, so that nothing is missed and nothing is told twice.

import { Refused, request } from "./api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
// The server gives a sign of life far more often.
const LONGEST_SILENCE_MS = 60_000;

export class Watch {
  // `told` has onCommit(revision, events), onCompacted() and onState(state, text).
  constructor(told) {
    this.told = told;
    this.prefix = "";
    this.last = null;
    this.failures = 0;
    this.running = null;
  }

  // Follows what begins with `prefix`, from what came after `since` on.
  follow(prefix, since) {
    this.stop();
    this.prefix = prefix;
    this.last = since;
    this.failures = 0;
    this.run();
  }

  // The same with another prefix: from where it is.
  widen(prefix) {
    if (prefix !== this.prefix && this.last !== null) this.follow(prefix, this.last);
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  // Tries at once, if it waits.
  wake() {
    if (this.running && this.pause) this.follow(this.prefix, this.last);
  }

  async run() {
    const running = new AbortController();
    this.running = running;
    this.told.onState("connecting", "Connecting");
    while (this.running === running) {
      try {
        await this.read(running);
      } catch (error) {
        if (this.running !== running) return;
        if (error instanceof Refused && error.isLasting) {
          this.running = null;
          this.told.onState("lost", error.status === 401 ? "No access" : `Not live: ${error.message}`);
          return;
        }
      }
      if (this.running !== running) return;
      await this.rest(running);
    }
  }

  // Waits longer each time, and never as long as others do.
  async rest(running) {
    this.failures += 1;
    const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.failures - 1));
    this.told.onState("lost", "Connection lost, trying again");
    this.pause = true;
    await new Promise((done) => {
      const timer = setTimeout(done, most / 2 + Math.random() * most / 2);
      running.signal.addEventListener("abort", () => { clearTimeout(timer); done(); });
    });
    this.pause = false;
  }

  async read(running) {
    const connection = new AbortController();
    const abort = () => connection.abort();
    running.signal.addEventListener("abort", abort);
    let timer;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(abort, LONGEST_SILENCE_MS);
    };
    try {
      alive();
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(this.last) };
      const query = new URLSearchParams({ prefix: this.prefix });
      const response = await request(`v1/watch?${query}`, { headers, signal: connection.signal });
      this.told.onState("live", "Live");
      const reader = response.body.getReader();
      const messages = new Messages((message) => this.take(message, running));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        this.failures = 0;
        messages.push(value);
      }
    } finally {
      clearTimeout(timer);
      running.signal.removeEventListener("abort", abort);
      connection.abort();
    }
  }

  take({ event, data, id }, running) {
    if (this.running !== running) return;
    if (event === "compacted") {
      this.stop();
      this.told.onCompacted();
      return;
    }
    if (event === "unreadable") {
      this.stop();
      this.told.onState("lost", `Not live: ${JSON.parse(data).detail}`);
      return;
    }
    if (id) this.last = Number(id);
    if (event !== "commit" || !data) return;
    const commit = JSON.parse(data);
    this.told.onCommit(commit.revision, commit.events);
  }
}

// Splits a stream of bytes into messages.
export class Messages {
  constructor(onMessage) {
    this.onMessage = onMessage;
    this.decoder = new TextDecoder();
    this.rest = "";
    this.id = "";
    this.clear();
  }

  clear() {
    this.event = "message";
    this.data = [];
    this.hasId = false;
  }

  push(bytes) {
    const text = this.rest + this.decoder.decode(bytes, { stream: true });
    // A carriage return at the end may be the first half of a line's end.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    lines.forEach((line) => this.line(line));
  }

  line(line) {
    if (line === "") {
      if (this.data.length || this.hasId) {
        this.onMessage({ event: this.event, data: this.data.join("\n"), id: this.id });
      }
      this.clear();
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) {
      this.id = value;
      this.hasId = true;
    }
  }
}
