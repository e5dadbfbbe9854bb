// Makes docs/page.png, the picture in the README: npm run screenshot. How to install: page.test.js.

import { fileURLToPath } from "node:url";

import { openPage, Server, startBrowser } from "./server.js";

const PICTURE = fileURLToPath(new URL("../../docs/page.png", import.meta.url));

const text = (fields) => `${JSON.stringify(fields, null, 2)}\n`;
const ada = { name: "Ada King", email: "ada@example.org", age: 36, roles: ["author", "editor"], active: true };

const server = await Server.start("--history", "20");
const browser = await startBrowser();
try {
  await server.put("orders/2026/0001", { customer: "users/42", total: "129.00", paid: true });
  await server.put("orders/2026/0002", { customer: "users/7", total: "12.50", paid: false });
  await server.put("teams/engines", { name: "Engines", members: ["users/7", "users/42"] });
  for (const [id, name] of [["7", "Grace Hopper"], ["43", "Annie Easley"], ["44", "Mary Jackson"]]) {
    await server.put(`users/${id}`, text({ name }));
  }
  await server.put("users/42", text(ada));
  const page = await openPage(browser, `${server.url}/#key=users/42`, { viewport: { width: 1240, height: 900 } });
  await page.waitForSelector("#versions button");
  await page.click("#edit");
  await page.fill("#text", text({ ...ada, name: "Ada Lovelace", active: false }));
  await server.put("users/42", text({ ...ada, name: "Augusta Ada King", age: 37 }));
  await page.waitForSelector("#banner .link");
  await page.click("#save");
  await page.check(".clash input[value=mine]");
  await page.screenshot({ path: PICTURE });
} finally {
  await browser.close();
  await server.stop();
}
