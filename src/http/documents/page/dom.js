// Elements. Data gets into the page here, and only as text: nothing in these files writes markup, and the page's
// Content-Security-Policy has the browser refuse it.

export function byId(id) {
  return document.getElementById(id);
}

// An element with attributes (`on...` is a listener, `false` and undefined leave one out) and children, elements or text.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith("on")) made.addEventListener(attribute.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(attribute, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Puts these in place of what is there, one by one: a call takes only so many arguments.
export function fill(target, children) {
  const all = new DocumentFragment();
  for (const child of children) all.append(child);
  target.replaceChildren(all);
  return target;
}

export function show(target, shown) {
  target.hidden = !shown;
}

// Says something to everybody, and lets it be read out. An "error" stays until something else is done; an "update", which
// comes by itself, does not replace it.
export function say(text, kind = "note") {
  const status = byId("status");
  if (kind === "update" && status.dataset.kind === "error" && status.textContent) return;
  status.dataset.kind = kind;
  status.textContent = text;
  clearTimeout(say.timer);
  if (kind !== "error") say.timer = setTimeout(() => { status.textContent = ""; }, 6000);
}

const SIZES = ["bytes", "KiB", "MiB"];

export function sizeText(bytes) {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < SIZES.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit ? size.toFixed(1) : size} ${size === 1 && !unit ? "byte" : SIZES[unit]}`;
}

// A date of HTTP in the reader's own language and time zone.
export function timeText(date, style = "medium") {
  const time = new Date(date);
  if (Number.isNaN(time.getTime())) return date;
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: style }).format(time);
}
