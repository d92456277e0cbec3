// Formulas by KaTeX, which is among Gradio's own files: what may be drawn, and drawing it a few at a
// time. It does not know where in a text they stand.

const SLICE_MS = 12;
const CLOSERS = { $$: "$$", "\\[": "\\]", "\\(": "\\)" };
const LONGEST_FORMULA = 1000;
const MOST_FORMULAS = 200;
const DEEPEST_FORMULA = 8;
const KNOWN_FORMULAS = 500;

// Source → what it looks like, as a growing block is made anew again and again.
const known = new Map();

// A formula as it was written, to be drawn when there is time.
function formula(tex, written, display) {
  const element = make("span", { class: display ? "maths display" : "maths", dir: "ltr" }, written);
  element.tex = tex;
  element.due = isShallow(tex);
  return element;
}

const lookOf = (element) => `${element.classList.contains("display")} ${element.tex}`;

// At once where its look is known, so that a block that is made anew does not flicker; else when
// there is time.
function dress(element) {
  if (!element.due) return;
  const drawing = known.get(lookOf(element));
  element.due = !drawing;
  if (drawing) element.replaceChildren(drawing.cloneNode(true));
  else waiting.add(element);
}

// KaTeX nests as deep as the text does, and a browser does not survive that.
function isShallow(tex) {
  if (tex.length > LONGEST_FORMULA || /(?:\\[a-z]+\s*){12}/i.test(tex)) return false;
  let depth = 0;
  for (const [sign] of tex.matchAll(/\\(?:left|begin)(?![a-z])|\\(?:right|end)(?![a-z])|\\[^]|[{}]/gi)) {
    if (sign === "{" || /^\\(?:left|begin)/.test(sign)) depth += 1;
    else if (sign === "}" || /^\\(?:right|end)/.test(sign)) depth -= 1;
    if (depth > DEEPEST_FORMULA) return false;
  }
  return true;
}

function drawFormula(katex, element) {
  element.due = false;
  const display = element.classList.contains("display");
  const options = { displayMode: display, trust: false, strict: "ignore", maxSize: 10, maxExpand: 100 };
  const drawing = document.createElement("span");
  try {
    katex.render(element.tex, drawing, options);
  } catch {
    return; // It stays as it was written.
  }
  if (known.size > KNOWN_FORMULAS) known.clear();
  known.set(lookOf(element), drawing);
  element.replaceChildren(drawing.cloneNode(true));
}

const waiting = new Set();
let typesetting = false;
let katex = null;

async function typeset() {
  if (typesetting || !waiting.size) return;
  typesetting = true;
  katex ??= loadKatex();
  const library = await katex;
  while (library && waiting.size) {
    await inTurn(() => {
      const began = performance.now();
      for (const element of waiting) {
        waiting.delete(element);
        if (element.isConnected) drawFormula(library, element);
        if (performance.now() - began > SLICE_MS) break;
      }
    });
  }
  waiting.clear();
  typesetting = false;
}

// Gradio brings it along, and with it nothing that has not to be loaded before.
async function loadKatex() {
  const [script, style] = KATEX.map((path) => new URL(path, document.baseURI).href);
  document.head.append(make("link", { rel: "stylesheet", href: style }));
  return import(script).then((module) => module.default, () => null);
}
