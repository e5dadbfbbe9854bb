// What the tests run against: the built command on a port that is free, a proxy under a prefix, and Debian's Chromium.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const BINARY = process.env.IFMATCH ?? path.join(ROOT, "target/debug/ifmatch");

const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Server {
  static async start(...flags) {
    const server = new Server();
    server.data = await mkdtemp(path.join(tmpdir(), "ifmatch-browser-"));
    server.flags = flags;
    server.headers = {};
    await server.run(0);
    return server;
  }

  async run(port) {
    const flags = ["serve", "--listen", `127.0.0.1:${port}`, "--data", this.data, ...this.flags];
    this.process = spawn(BINARY, flags, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.process);
    let said = "";
    const url = await new Promise((found, failed) => {
      const read = (bytes) => {
        said += bytes;
        const match = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
        if (match) found(match[0]);
      };
      this.process.stdout.on("data", read);
      this.process.stderr.on("data", read);
      this.process.once("exit", () => failed(new Error(`the server ended: ${said}`)));
      this.process.once("error", failed);
    });
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  // Ends the process and begins another on the same log and the same port.
  async restart() {
    await this.end();
    await this.run(this.port);
  }

  async end(signal = "SIGTERM") {
    const ended = once(this.process, "exit");
    this.process.kill(signal);
    await ended;
    running.delete(this.process);
  }

  async stop() {
    await this.end("SIGKILL");
    await rm(this.data, { recursive: true, force: true });
  }

  async put(key, value, headers = {}) {
    const isText = typeof value === "string";
    const response = await fetch(`${this.url}/v1/kv/${key}`, {
      method: "PUT",
      body: isText || value instanceof Uint8Array ? value : JSON.stringify(value),
      headers: { ...this.headers, "content-type": "application/json", ...headers },
    });
    if (!response.ok) throw new Error(`PUT ${key}: ${response.status} ${await response.text()}`);
    return response.headers.get("etag");
  }

  async delete(key) {
    const response = await fetch(`${this.url}/v1/kv/${key}`, { method: "DELETE", headers: this.headers });
    if (!response.ok) throw new Error(`DELETE ${key}: ${response.status}`);
  }

  async text(key) {
    const response = await fetch(`${this.url}/v1/kv/${key}`, { headers: this.headers });
    return response.ok ? response.text() : null;
  }

  async json(key) {
    return JSON.parse(await this.text(key));
  }
}

// The path of a file with this text, in the folder of temporary files.
export async function textFile(text) {
  const folder = await mkdtemp(path.join(tmpdir(), "ifmatch-browser-"));
  const file = path.join(folder, "file");
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

// The server under a prefix, as a router that is nested shows it: /api is its /, /api/v1/kv its /v1/kv.
export async function proxyUnder(prefix, server) {
  const proxy = http.createServer((request, response) => {
    const isUnder = request.url === prefix || request.url.startsWith(`${prefix}/`) || request.url.startsWith(`${prefix}?`);
    if (!isUnder) {
      response.writeHead(404).end();
      return;
    }
    const target = request.url.slice(prefix.length) || "/";
    const headers = { ...request.headers, host: `127.0.0.1:${server.port}` };
    if (headers.origin) headers.origin = server.url;
    const onward = http.request({ port: server.port, host: "127.0.0.1", path: target, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return proxy;
}

// Playwright gives each start an empty profile of its own.
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

// A page at `url` of which nothing may go wrong unseen: what the browser complains of is kept in `complaints`.
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  // Only so that a test ends which will not pass: a machine may be busy with something else for long.
  page.setDefaultTimeout(60_000);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    // An answer that is no success is on the console, and expected where somebody else was first.
    const isAnswer = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isAnswer) page.complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}
