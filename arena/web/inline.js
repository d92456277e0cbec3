// The text of one block: what is bold, code, a link or mathematics in it. Strings and elements come
// out; what is written as HTML stays text. It does not know blocks.

const SPECIAL = /\\[^]|`+|\${1,2}|\*+|_+|~+|!?\[|\]|<|&|https?:\/\/|\n/g;
const DESTINATION = /\(\s{0,9}(?:<([^<>\n]*)>|([^\s()<]*(?:\([^\s()]*\)[^\s()]*)*))(?:\s{1,9}(?:"[^"]*"|'[^']*'))?\s{0,9}\)/y;
const ADDRESS = /https?:\/\/[^\s<>"`*|[\]\\]{1,2000}/y;
const MAIL = /<([\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5})>/y;
const BREAK = /<br\s{0,9}\/?>/iy;
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,6}));/iy;
const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", hellip: "…", mdash: "—", ndash: "–", times: "×" };
const DOLLARS = /\$(?![\s$])((?:\\[^\n]|[^\\$\n]){1,500})(?<!\s)\$(?![\w$])/y;
const ENVIRONMENT = /\\begin\{((?:equation|align|alignat|gather|cases|[bBpvV]?matrix|array)\*?)\}/y;
const ALLOWED = /^(?:https?:\/\/|mailto:)/i;

// How many open marks are looked through for the one that a mark closes.
const FARTHEST = 100;

const SPACE = /^\s?$/;
// Signs, and letters of scripts without spaces between words, where bold may begin and end anywhere.
const APART = /[\p{P}\p{S}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;

const look = (pattern, text, from) => {
  pattern.lastIndex = from;
  return pattern.exec(text);
};

// Between single dollars stand prices and variables of shells too. It is mathematics only where
// no letter or digit touches it from outside, no space from inside, and what is in it is
// written as no price and no name of a variable is.
function isMaths(tex) {
  if (/\\[a-z{|]|[\^_]/i.test(tex)) return !/^[A-Z_][A-Z_\d]+$/.test(tex);
  return /^[a-z(|][\w\s+*/=<>().,|'-]*$/i.test(tex) && !/[a-z]{3}/i.test(tex);
}

function anchor(href, ...children) {
  return make("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

// Signs that end a sentence or a part of one, in scripts that put no space behind an address.
const SENTENCE = /[。，、；：？！）」』》】،؛؟]/;

// The web address that begins here, without the signs of the sentence that it stands in; else empty.
function addressAt(text, start) {
  let [url] = (look(ADDRESS, text, start)?.[0] ?? "").split(SENTENCE);
  while (/[?!.,:;')_~]$/.test(url) && !(url.endsWith(")") && url.includes("("))) url = url.slice(0, -1);
  return /\/\/./.test(url) ? url : "";
}

// Plain text, in which web addresses are links.
function withLinks(text) {
  const parts = [];
  let from = 0;
  for (const { index } of text.matchAll(/https?:/g)) {
    const url = index < from ? "" : addressAt(text, index);
    if (!url) continue;
    parts.push(text.slice(from, index), anchor(url, url));
    from = index + url.length;
  }
  return [...parts, text.slice(from)];
}

// Where a run of so many backticks is next, asked from left to right.
function backticks(text) {
  const places = new Map();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!places.has(run.length)) places.set(run.length, { all: [], next: 0 });
    places.get(run.length).all.push(index);
  }
  return (length, from) => {
    const known = places.get(length);
    while (known?.all[known.next] < from) known.next += 1;
    return known?.all[known.next] ?? -1;
  };
}

function codeSpan(text) {
  const flat = text.replaceAll("\n", " ");
  const padded = flat.trim() && flat.startsWith(" ") && flat.endsWith(" ");
  return make("code", { dir: "ltr" }, padded ? flat.slice(1, -1) : flat);
}

function entity([whole, decimal, hexadecimal, name]) {
  if (name) return NAMED[name.toLowerCase()] ?? whole;
  const point = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
}

// The parts of a text in their order: strings and elements, and marks that may come in pairs.
function parts(text) {
  const found = [];
  const ticks = backticks(text);
  const missing = new Set();
  let done = 0;
  const add = (start, end, part) => {
    if (start > done) found.push(text.slice(done, start));
    found.push(part);
    done = end;
  };
  const maths = (start, open, close) => {
    const from = start + open.length;
    const to = missing.has(close) ? -1 : text.indexOf(close, from);
    if (to < 0) missing.add(close);
    const tex = text.slice(from, to);
    if (to < 0 || blank(tex)) return false;
    const end = to + close.length;
    const written = text.slice(start, end);
    add(start, end, formula(close.startsWith("\\end") ? written : tex, written, open !== "\\("));
    return true;
  };
  const readers = {
    "`": (start, sign, end) => {
      const to = ticks(sign.length, end);
      if (to >= 0) add(start, to + sign.length, codeSpan(text.slice(end, to)));
      else add(start, end, sign);
    },
    "\\": (start, sign, end) => {
      if (CLOSERS[sign] && maths(start, sign, CLOSERS[sign])) return;
      const begun = sign === "\\b" && look(ENVIRONMENT, text, start);
      if (begun && maths(start, begun[0], `\\end{${begun[1]}}`)) return;
      if (sign[1] === "\n") add(start, end, make("br"));
      else add(start, end, /[!-/:-@[-`{-~]/.test(sign[1]) ? sign[1] : sign);
    },
    $: (start, sign, end) => {
      if (sign === "$$") {
        if (!maths(start, sign, sign)) add(start, end, sign);
        return;
      }
      const inside = /[\w$\\]/.test(text[start - 1] ?? " ") ? null : look(DOLLARS, text, start);
      if (!inside || !isMaths(inside[1])) add(start, end, sign);
      else add(start, start + inside[0].length, formula(inside[1], inside[0], false));
    },
    "\n": (start, _, end) => add(start, end, make("br")),
    "&": (start, sign, end) => {
      const known = look(ENTITY, text, start);
      if (known) add(start, start + known[0].length, entity(known));
      else add(start, end, sign);
    },
    "<": (start, sign, end) => {
      const line = look(BREAK, text, start);
      const mail = look(MAIL, text, start);
      if (line) add(start, start + line[0].length, make("br"));
      else if (mail) add(start, start + mail[0].length, anchor(`mailto:${mail[1]}`, mail[1]));
      else if (!look(ADDRESS, text, end)) add(start, end, sign);
      else readers.h(end, "", end);
    },
    h: (start) => {
      const url = addressAt(text, start);
      if (!url) return;
      const bracketed = text[start - 1] === "<" && text[start + url.length] === ">";
      add(start - bracketed, start + url.length + bracketed, { url });
    },
    "[": (start, sign, end) => add(start, end, { open: sign }),
    "]": (start, sign, end) => {
      const target = text[end] === "(" ? look(DESTINATION, text, end) : null;
      const href = target && (target[1] ?? target[2]);
      if (!href || !ALLOWED.test(href)) add(start, end, { close: sign });
      else add(start, end + target[0].length, { close: text.slice(start, end + target[0].length), href });
    },
  };
  readers["!"] = readers["["];
  for (const sign of "*_~") readers[sign] = (start, run, end) => add(start, end, delimiter(run, text, start, end));
  SPECIAL.lastIndex = 0;
  for (let next; (SPECIAL.lastIndex = done, next = SPECIAL.exec(text));) {
    const [sign] = next;
    const end = next.index + sign.length;
    readers[sign[0]](next.index, sign, end);
    if (done < end) add(next.index, end, sign);
  }
  if (done < text.length) found.push(text.slice(done));
  return found;
}

function delimiter(run, text, start, end) {
  const [sign] = run;
  if (sign === "~" && run.length !== 2) return run;
  const [before, after] = [text[start - 1] ?? "", text[end] ?? ""];
  const leans = (from, to) => !SPACE.test(from) && (!/[\p{P}\p{S}]/u.test(from) || SPACE.test(to) || APART.test(to));
  let [opens, closes] = [leans(after, before), leans(before, after)];
  if (sign === "_") {
    const [left, right] = [opens, closes];
    opens = left && (!right || APART.test(before));
    closes = right && (!left || APART.test(after));
  }
  return { sign, count: run.length, length: run.length, opens, closes };
}

// Brackets that belong together and lead somewhere allowed; a link holds no other link.
function pairBrackets(found) {
  let open = [];
  for (const part of found) {
    if (part.open) open.push(part);
    else if (part.close) {
      const mate = open.pop();
      if (!mate || !part.href) continue;
      mate.link = part;
      part.link = mate;
      if (mate.open === "[") open = [];
    }
  }
}

function inline(text) {
  const found = parts(text);
  pairBrackets(found);
  // Marks that are open, each with what stands behind it until the next.
  const levels = [{ nodes: [], height: 0 }];
  const put = (node, height = 0) => {
    if (height > DEEPEST) throw new TooDeep();
    const level = levels.at(-1);
    level.nodes.push(node);
    level.height = Math.max(level.height, height);
  };
  // Whatever stays open above a level was only text.
  const flatten = (to) => {
    const kept = levels[to];
    for (const level of levels.splice(to + 1)) {
      if (level.count) kept.nodes.push(level.sign.repeat(level.count));
      for (const node of level.nodes) kept.nodes.push(node);
      kept.height = Math.max(kept.height, level.height);
    }
  };
  const wrapped = (element, { nodes, height }) => {
    for (const node of nodes) element.append(node);
    put(element, height + 1);
  };
  const run = (mark) => {
    const fits = (level) => level.sign === mark.sign && !((level.closes || mark.opens) &&
      (level.length + mark.length) % 3 === 0 && (level.length % 3 || mark.length % 3));
    while (mark.closes && mark.count) {
      const last = Math.max(1, levels.length - FARTHEST);
      let to = levels.length - 1;
      while (to >= last && !levels[to].link && !fits(levels[to])) to -= 1;
      if (to < last || levels[to].link) break;
      flatten(to);
      const level = levels.pop();
      const count = Math.min(2, level.count, mark.count);
      const tag = { "~": "s", "*": ["em", "strong"][count - 1], _: ["em", "strong"][count - 1] }[mark.sign];
      level.count -= count;
      mark.count -= count;
      const inner = { nodes: level.nodes, height: level.height };
      if (level.count) levels.push(Object.assign(level, { nodes: [], height: 0 }));
      wrapped(make(tag), inner);
    }
    if (mark.count && mark.opens) levels.push({ ...mark, nodes: [], height: 0 });
    else if (mark.count) put(mark.sign.repeat(mark.count));
  };
  let linked = false;
  for (const part of found) {
    if (part.sign) run(part);
    else if (part.url) put(linked ? part.url : anchor(part.url, part.url), 1);
    else if (part.open && part.link) {
      levels.push({ link: part.link, nodes: [], height: 0 });
      linked = true;
    } else if (part.close && part.link) {
      flatten(levels.findLastIndex((level) => level.link));
      wrapped(anchor(part.href), levels.pop());
      linked = false;
    } else put(part.open ?? part.close ?? part);
  }
  flatten(0);
  return levels[0].nodes;
}
