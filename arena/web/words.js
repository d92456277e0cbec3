// The page's texts in its own language, which Gradio puts into the page as data. It does not know
// what is said where.

const texts = {};

// Whether they have come.
function learned() {
  const data = document.getElementById("page-words");
  if (data && !texts.language) {
    Object.assign(texts, JSON.parse(data.textContent));
    texts.sentences = texts.said.map(([english, here]) => [pattern(english), here]);
  }
  return Boolean(data);
}

const literal = (text) => text.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&");
const pattern = (english) => new RegExp(`^${literal(english).replaceAll(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "s");
const written = (value) => typeof value === "number" ? value.toLocaleString(texts.language) : value;
const filled = (text, values) => text.replaceAll(/\{(\w+)\}/g, (_, name) => written(values[name]));

// The text under a dotted key; `count` decides its form where there are several.
function tell(key, values = {}) {
  const found = key.split(".").reduce((table, part) => table?.[part], texts) ?? key;
  if (typeof found === "string") return filled(found, values);
  const form = new Intl.PluralRules(texts.language).select(values.count);
  return filled(found[form] ?? found.other, values);
}

// What the server says in English; as it is where nobody foresaw it.
function said(text) {
  for (const [english, here] of texts.sentences ?? []) {
    const values = { ...english.exec(text)?.groups };
    if (!english.test(text)) continue;
    for (const [name, value] of Object.entries(values)) {
      values[name] = /^[\d,]+$/.test(value) ? Number(value.replaceAll(",", "")) : said(value);
    }
    return filled(here, values);
  }
  return text;
}
