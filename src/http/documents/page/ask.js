// Questions whose answer is yes or no, in a dialog. A new one answers the one before with no.

import { byId } from "./dom.js";

let answer = () => {};

// Whether the answer is yes.
export function ask(heading, what, yes) {
  const confirm = byId("confirm");
  byId("confirm-heading").textContent = heading;
  byId("confirm-what").textContent = what;
  byId("confirm-yes").textContent = yes;
  confirm.returnValue = "no";
  if (!confirm.open) confirm.showModal();
  answer(false);
  return new Promise((resolve) => { answer = resolve; });
}

byId("confirm").addEventListener("close", () => {
  // It comes a frame after the dialog was closed, when the next question may be open.
  if (!byId("confirm").open) answer(byId("confirm").returnValue === "yes");
});
