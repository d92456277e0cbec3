// A reply's Markdown as elements. Nothing that a model writes is parsed as HTML: every element and
// attribute there can be is made here, and whatever else is written stays text. Time is in
// proportion to the text, and what would be nested deeper than a browser bears is not drawn.
// It does not know the page.

const DEEPEST = 10;
const WIDEST = 40;
const LINES_A_PIECE = 40;

class TooDeep extends Error {}

// Element → what it was made of, so that what has not changed is kept, and where its parts are.
const made = new WeakMap();
const holders = new WeakMap();

// How long elements may be made at a time, and since when, so that the page can do something
// else. What was made before is passed over without counting, or there would be no progress.
const slice = { ms: Infinity, since: 0 };
const isOver = () => slice.since && performance.now() - slice.since > slice.ms;

const PATIENCE = 2;
const LONGEST_WAIT_MS = 1000;
const BRIEF_MS = 25;

// Resolves when all that was made until now is seen, to how long the browser took for that picture.
// Of a page that nobody looks at there are no pictures.
const pictured = () => document.hidden ? Promise.resolve(0) : new Promise((resolve) => {
  requestAnimationFrame((since) => setTimeout(() => resolve(performance.now() - since)));
});

// Once the last work is seen and the page was left, for so many times as long as that took, to whoever
// uses it.
let rested = Promise.resolve();

// Texts, formulas and scrolling take turns, or a key would wait for several of them. Resolves when
// what `work` made is seen.
function inTurn(work) {
  const seen = rested.then(async () => {
    const began = performance.now();
    work();
    return performance.now() - began + (await pictured());
  });
  rested = seen.then(rest, () => {});
  return seen;
}

// Blocks that were left out of the layout, more at once as long as that takes no time.
async function layOut(blocks) {
  let some = 1;
  while (blocks.length) {
    const took = await inTurn(() => {
      for (const block of blocks.splice(0, some)) block.style.contentVisibility = "";
    });
    some = took < BRIEF_MS ? 2 * some : 1;
  }
}

const rest = (took) => new Promise((resolve) => {
  setTimeout(resolve, Math.min(PATIENCE * took, LONGEST_WAIT_MS));
});

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A block says its `key`, how its `shell` is made, and, where it has parts of its own, what they
// are and the `source` they come from. Without parts it is all in its key.
function drawn(block, had) {
  const before = made.get(had);
  const same = before?.key === block.key;
  if (same && before.source === block.source) return had;
  const element = same ? had : block.shell();
  slice.since ||= performance.now();
  const whole = !block.parts || arrange(holders.get(element) ?? element, block.parts());
  made.set(element, { key: block.key, source: whole ? block.source : null });
  return element;
}

// False if there was no time for all of them; they are gone on with at the next call.
function arrange(parent, blocks) {
  let whole = true;
  for (const [at, block] of blocks.entries()) {
    whole = place(parent, at, block) && whole;
    if (isOver() && at + 1 < blocks.length) return false;
  }
  while (parent.children.length > blocks.length) parent.lastChild.remove();
  return whole;
}

function place(parent, at, block) {
  const had = parent.children[at];
  const element = drawn(block, had);
  if (!had) parent.append(element);
  else if (element !== had) had.replaceWith(element);
  return made.get(element).source !== null;
}

// Lines ------------------------------------------------------------------------------------------

const blank = (line) => line.trim() === "";

function indent(line) {
  let width = 0;
  for (const sign of line) {
    if (sign === " ") width += 1;
    else if (sign === "\t") width += 4 - (width % 4);
    else break;
  }
  return width;
}

// The line without so many columns of its indentation.
function strip(line, columns) {
  let [at, width] = [0, 0];
  for (; width < columns && (line[at] === " " || line[at] === "\t"); at += 1) {
    width += line[at] === " " ? 1 : 4 - (width % 4);
  }
  return " ".repeat(Math.max(0, width - columns)) + line.slice(at);
}

const flush = (pattern) => (line) => (indent(line) < 4 ? pattern.exec(line) : null);
const bar = flush(/^\s*(`{3,}|~{3,})(.*)/);
const fence = (line) => {
  const found = bar(line);
  return found?.[1][0] === "`" && found[2].includes("`") ? null : found;
};
const heading = flush(/^\s*(#{1,6})(?=\s|$)/);
const quoted = flush(/^\s*> ?/);
const underline = flush(/^\s*(=+|-{2,})\s*$/);
const displayed = flush(/^\s*(\$\$|\\\[)/);
const isRule = (line) => indent(line) < 4 && /^([-*_])\1{2,}$/.test(line.replace(/\s+/g, ""));

// A list's item: what kind of list, where its text begins, and the text of its first line.
function marked(line) {
  const found = flush(/^(\s*)([-*+]|\d{1,9}[.)])(?=\s|$)/)(line);
  if (!found || isRule(line)) return null;
  const end = indent(line) + found[2].length;
  const rest = " ".repeat(end) + line.slice(found[0].length);
  const gap = indent(rest) - end;
  const offset = end + (blank(rest) || gap > 4 ? 1 : gap);
  return { kind: found[2].at(-1), number: parseInt(found[2], 10), offset, rest: strip(rest, offset) };
}

// Whether a line ends the paragraph above it.
function begins(line) {
  const item = marked(line);
  return Boolean(fence(line) || heading(line) || quoted(line) || displayed(line) || isRule(line) ||
    (item && !blank(item.rest) && !(item.number > 1)));
}

// Blocks -----------------------------------------------------------------------------------------

const READERS = [readCode, readFormula, readHeading, readRule, readQuote, readList, readTable];

function blocksOf(lines, depth = 0) {
  if (depth > DEEPEST) throw new TooDeep();
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if (blank(lines[at])) {
      at += 1;
      continue;
    }
    let block = null;
    for (const read of READERS) block ??= read(lines, at, depth);
    block ??= readParagraph(lines, at);
    blocks.push({ ...block, from: at });
    at = block.to;
  }
  return blocks;
}

function readCode(lines, at) {
  const opening = fence(lines[at]);
  if (!opening) return indent(lines[at]) < 4 ? null : readIndented(lines, at);
  const [, begun, info] = opening;
  const closes = (line) => {
    const bare = line.trim();
    return indent(line) < 4 && bare.length >= begun.length && bare === begun[0].repeat(bare.length);
  };
  let to = at + 1;
  while (to < lines.length && !closes(lines[to])) to += 1;
  const inside = lines.slice(at + 1, to).map((line) => strip(line, indent(lines[at])));
  return codeBlock(inside, info.trim().split(/\s/)[0].slice(0, 30), Math.min(to + 1, lines.length));
}

function readIndented(lines, at) {
  let to = at;
  for (let next = at; next < lines.length && (blank(lines[next]) || indent(lines[next]) >= 4); next += 1) {
    if (!blank(lines[next])) to = next + 1;
  }
  return codeBlock(lines.slice(at, to).map((line) => strip(line, 4)), "", to);
}

// In pieces, so that a line that is added does not lay out all the others anew.
function codeBlock(lines, language, to) {
  const piece = (from) => {
    const text = lines.slice(from, from + LINES_A_PIECE).map((line) => `${line}\n`).join("");
    return { key: text, shell: () => make("span", {}, text) };
  };
  const starts = Array.from({ length: Math.ceil(lines.length / LINES_A_PIECE) }, (_, n) => n * LINES_A_PIECE);
  return {
    to,
    key: `code ${language}`,
    source: lines.map((line) => `${line}\n`).join(""),
    parts: () => starts.map(piece),
    shell: () => {
      const code = make("code");
      const head = make("figcaption", {}, make("span", {}, language || "code"));
      head.append(copier(tell("arena.copy_code"), () => code.textContent));
      const figure = make("figure", { class: "code", dir: "ltr" }, head, make("pre", { tabindex: "0" }, code));
      holders.set(figure, code);
      return figure;
    },
  };
}

// Lines from $$ or \[ on, to the line that closes it, or else to the next blank one.
function readFormula(lines, at) {
  const opening = displayed(lines[at]);
  if (!opening) return null;
  const close = CLOSERS[opening[1]];
  let to = at;
  let tail = lines[at].slice(opening[0].length);
  while (!tail.includes(close) && to + 1 < lines.length && !blank(lines[to + 1])) tail = lines[to += 1];
  const text = lines.slice(at, to + 1).join("\n").trim();
  const tex = text.slice(2, -2);
  // Words beside it make it a part of a paragraph, as does an end that is not there.
  const whole = text.length > 4 && text.endsWith(close) && !tex.includes(close);
  const shell = () => (whole ? make("p", {}, formula(tex, text, true)) : paragraph("p", text));
  return { to: to + 1, key: `formula ${text}`, shell };
}

function readHeading(lines, at) {
  const found = heading(lines[at]);
  if (!found) return null;
  const text = lines[at].slice(found[0].length).trim().replace(/(^|\s)#+$/, "");
  return title(at + 1, text, found[1].length);
}

// The page has headings of its own above it, down to the second level. How large it looks is told
// by its class; as headings, all of a reply are of one level, since models skip some.
function title(to, text, level) {
  const shell = () => {
    const heading = paragraph("h3", text);
    heading.className = `level-${Math.min(level, 4)}`;
    return heading;
  };
  return { to, key: `h${level} ${text}`, shell };
}

function readRule(lines, at) {
  return isRule(lines[at]) ? { to: at + 1, key: "hr", shell: () => make("hr") } : null;
}

function readQuote(lines, at, depth) {
  if (!quoted(lines[at])) return null;
  const inside = [];
  let to = at;
  for (; to < lines.length && !blank(lines[to]); to += 1) {
    const found = quoted(lines[to]);
    if (!found && begins(lines[to])) break;
    inside.push(found ? lines[to].slice(found[0].length) : lines[to]);
  }
  return {
    to,
    key: "quote",
    source: inside.join("\n"),
    parts: () => blocksOf(inside, depth + 1),
    shell: () => make("blockquote", { dir: "auto" }),
  };
}

function readList(lines, at, depth) {
  const first = marked(lines[at]);
  if (!first) return null;
  const items = [];
  let [to, next, loose] = [at, at, false];
  for (let item = first; item?.kind === first.kind; item = next < lines.length && marked(lines[next])) {
    loose ||= next > to;
    const inside = [item.rest];
    for (next += 1; next < lines.length; next += 1) {
      const line = lines[next];
      const within = blank(line) || indent(line) >= item.offset;
      if (!within && (blank(inside.at(-1)) || marked(line) || begins(line))) break;
      inside.push(within ? strip(line, item.offset) : line.trimStart());
    }
    const kept = inside.findLastIndex((line) => !blank(line)) + 1;
    to = next - inside.length + Math.max(kept, 1);
    items.push(listItem(inside.slice(0, kept), depth));
  }
  const ordered = /[.)]/.test(first.kind);
  const kind = ordered && first.number !== 1 ? { start: first.number } : {};
  return {
    to,
    key: `${first.kind} ${first.number} ${loose}`,
    source: lines.slice(at, to).join("\n"),
    parts: () => items,
    shell: () => make(ordered ? "ol" : "ul", { ...kind, ...(loose && { class: "loose" }) }),
  };
}

function listItem(lines, depth) {
  const task = /^\[([ xX])\]\s+/.exec(lines[0] ?? "");
  const inside = task ? [lines[0].slice(task[0].length), ...lines.slice(1)] : lines;
  return {
    key: `item ${task?.[1]}`,
    source: inside.join("\n"),
    parts: () => blocksOf(inside, depth + 1),
    shell: () => {
      if (!task) return make("li", { dir: "auto" });
      const done = task[1] === " " ? { "aria-label": tell("arena.to_do") } : { "aria-label": tell("arena.done"), checked: "" };
      const box = make("input", { type: "checkbox", disabled: "", ...done });
      const text = make("div");
      const item = make("li", { dir: "auto", class: "task" }, box, text);
      holders.set(item, text);
      return item;
    },
  };
}

function cellsOf(line) {
  const bare = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

// How the columns stand, if the second of two lines makes a table of them.
function columnsOf(line, below) {
  if (!line.includes("|") || !/^[\s|:-]+$/.test(below) || indent(line) > 3) return null;
  const bars = cellsOf(below);
  if (bars.length > WIDEST || bars.length !== cellsOf(line).length) return null;
  if (!bars.every((bar) => /^:?-+:?$/.test(bar))) return null;
  return bars.map((bar) => {
    if (!bar.endsWith(":")) return bar.startsWith(":") ? "start" : "";
    return bar.startsWith(":") ? "center" : "end";
  });
}

function readTable(lines, at) {
  const columns = at + 1 < lines.length ? columnsOf(lines[at], lines[at + 1]) : null;
  if (!columns) return null;
  let to = at + 2;
  while (to < lines.length && lines[to].includes("|") && !begins(lines[to])) to += 1;
  const row = (line, tag) => {
    const cells = cellsOf(line);
    return make("tr", {}, ...columns.map((align, n) => {
      const cell = paragraph(tag, cells[n] ?? "");
      if (align) cell.dataset.align = align;
      return cell;
    }));
  };
  return {
    to,
    key: `table ${lines[at]}\n${lines[at + 1]}`,
    source: lines.slice(at, to).join("\n"),
    parts: () => lines.slice(at + 2, to).map((line) => ({ key: line, shell: () => row(line, "td") })),
    shell: () => {
      const body = make("tbody");
      const table = make("table", { dir: "auto" }, make("thead", {}, row(lines[at], "th")), body);
      const box = make("div", { class: "table", tabindex: "0" }, table);
      holders.set(box, body);
      return box;
    },
  };
}

function readParagraph(lines, at) {
  let to = at + 1;
  if (to < lines.length && underline(lines[to])) {
    return title(to + 1, lines[at].trim(), lines[to].trim()[0] === "=" ? 1 : 2);
  }
  while (to < lines.length && !blank(lines[to]) && !begins(lines[to]) &&
    !columnsOf(lines[to], lines[to + 1] ?? "")) to += 1;
  const text = lines.slice(at, to).map((line) => line.trimStart()).join("\n").trimEnd();
  return { to, key: `p ${text}`, shell: () => paragraph("p", text) };
}

function paragraph(tag, text) {
  const element = make(tag);
  for (const node of inline(text)) element.append(node);
  return element;
}
