// JSON without loss: numbers and strings keep the text they were written with, which JSON.parse does not (it rounds what
// is past 2^53). A node is {kind, start, end, ...}; `start` and `end` are its place in the parsed text.

const DEEPEST = 400;

const SPACE = /[ \t\n\r]*/y;
const NOT_PLAIN = /["\\\u0000-\u001f]|$/g;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const LITERAL = /true|false|null/y;

// The text is not JSON; `message` says where.
export class InvalidJson extends Error {
  constructor(text, at, what) {
    const before = text.slice(0, at).split("\n");
    const line = before.length;
    const column = before[line - 1].length + 1;
    super(`line ${line}, column ${column}: ${what}`);
    this.at = at;
  }
}

export function parseJson(text) {
  const reader = new Reader(text);
  const root = reader.value(0);
  reader.space();
  if (reader.at < text.length) reader.fail("the document ends here, and more follows");
  return root;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(what) {
    throw new InvalidJson(this.text, this.at, what);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  space() {
    this.match(SPACE);
  }

  // Whether the next sign is `sign`, which is then taken.
  takes(sign) {
    this.space();
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  value(depth) {
    if (depth > DEEPEST) this.fail(`nested more than ${DEEPEST} deep`);
    this.space();
    const start = this.at;
    const node = this.begun(depth);
    node.start = start;
    node.end = this.at;
    return node;
  }

  begun(depth) {
    switch (this.text[this.at]) {
      case "{":
        return this.object(depth);
      case "[":
        return this.array(depth);
      case '"':
        return { kind: "string", ...this.string() };
      case undefined:
        return this.fail("the document ends in the middle");
    }
    const number = this.match(NUMBER);
    if (number !== null) return { kind: "number", text: number };
    const literal = this.match(LITERAL);
    if (literal !== null) return { kind: "literal", text: literal };
    return this.fail("a value is expected");
  }

  // From sign to sign: one pattern for all of it has no room for millions of letters.
  string() {
    const start = this.at;
    this.at += 1;
    do this.plain(); while (this.match(ESCAPE) !== null);
    if (this.text[this.at] !== '"') {
      this.at = start;
      this.fail("a string that has no end, or a sign in it that must be escaped");
    }
    this.at += 1;
    const text = this.text.slice(start, this.at);
    return { text, value: JSON.parse(text) };
  }

  plain() {
    NOT_PLAIN.lastIndex = this.at;
    this.at = NOT_PLAIN.exec(this.text).index;
  }

  object(depth) {
    this.at += 1;
    const members = new Map();
    let twice = null;
    if (this.takes("}")) return { kind: "object", members, twice };
    do {
      this.space();
      if (this.text[this.at] !== '"') this.fail("the name of a member is expected, in double quotes");
      const name = this.string();
      if (!this.takes(":")) this.fail("a colon is expected");
      const value = this.value(depth + 1);
      if (members.has(name.value)) twice = name.value;
      members.set(name.value, { name: name.text, value });
    } while (this.takes(","));
    if (!this.takes("}")) this.fail("a comma or } is expected");
    return { kind: "object", members, twice };
  }

  array(depth) {
    this.at += 1;
    const items = [];
    if (this.takes("]")) return { kind: "array", items };
    do {
      items.push(this.value(depth + 1));
    } while (this.takes(","));
    if (!this.takes("]")) this.fail("a comma or ] is expected");
    return { kind: "array", items };
  }
}

// The value of a member, or undefined.
export function member(node, name) {
  return node.members.get(name)?.value;
}

// The name of a member that an object anywhere in the document has twice, or null.
export function memberTwice(node) {
  if (node.kind === "array") return firstOf(node.items, memberTwice);
  if (node.kind !== "object") return null;
  return node.twice ?? firstOf([...node.members.values()].map((one) => one.value), memberTwice);
}

function firstOf(nodes, find) {
  for (const node of nodes) {
    const found = find(node);
    if (found !== null) return found;
  }
  return null;
}

// The text of a document. With an indent it has lines, without it is compact.
export function writeJson(node, indent = "", margin = "\n") {
  const inner = margin + indent;
  const line = indent ? inner : "";
  const last = indent ? margin : "";
  const list = (open, parts, close) =>
    parts.length ? open + line + parts.join("," + line) + last + close : open + close;
  switch (node.kind) {
    case "object": {
      const colon = indent ? ": " : ":";
      const members = [...node.members.values()];
      return list("{", members.map((one) => one.name + colon + writeJson(one.value, indent, inner)), "}");
    }
    case "array":
      return list("[", node.items.map((item) => writeJson(item, indent, inner)), "]");
    default:
      return node.text;
  }
}

// Whether two documents mean the same: 1 is 1.0, and members have no order.
export function sameJson(one, other) {
  if (one.kind !== other.kind) return false;
  switch (one.kind) {
    case "string":
      return one.value === other.value;
    case "number":
      return one.text === other.text || decimal(one.text) === decimal(other.text);
    case "literal":
      return one.text === other.text;
    case "array":
      return one.items.length === other.items.length
        && one.items.every((item, index) => sameJson(item, other.items[index]));
    default:
      return one.members.size === other.members.size
        && [...one.members].every(([name, { value }]) => {
          const counterpart = member(other, name);
          return counterpart !== undefined && sameJson(value, counterpart);
        });
  }
}

// Whether two documents are written alike but for white space.
export function identicalJson(one, other) {
  return writeJson(one) === writeJson(other);
}

// A spelling that two numbers share exactly if their decimal values are equal.
function decimal(text) {
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  const digits = (whole + fraction).replace(/^0+/, "");
  if (!digits) return "0";
  let zeros = 0;
  while (digits.at(-1 - zeros) === "0") zeros += 1;
  const significant = digits.slice(0, digits.length - zeros);
  const size = BigInt(exponent.replace("+", "")) - BigInt(fraction.length) + BigInt(zeros);
  return `${sign}${significant}e${size}`;
}

// A JSON pointer (RFC 6901).
export function pointer(path) {
  return path.map((token) => "/" + token.replaceAll("~", "~0").replaceAll("/", "~1")).join("");
}
