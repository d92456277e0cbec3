// What this browser played: kept in it alone, found again by its words, and removable. The newest
// are kept whole, so that they can be read when the server has long forgotten them. It does not
// know how a battle is drawn.

const KEPT = "arena-battles";
const MOST_KEPT = 300;
const MOST_WHOLE = 50;

const mine = {
  all() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  },

  find(id) {
    return this.all().find((entry) => entry.id === id);
  },

  // What is new of a battle. Of one that is not known only its beginning is.
  note(id, news) {
    const all = this.all();
    const known = all.find((entry) => entry.id === id);
    if (!known && !news.at) return;
    const rest = all.filter((entry) => entry !== known);
    this.keep([{ id, ...known, ...news }, ...rest].sort((a, b) => b.at - a.at));
  },

  remove(id) {
    this.keep(this.all().filter((entry) => entry.id !== id));
  },

  // A browser that is full keeps fewer of them whole.
  keep(entries) {
    for (let whole = MOST_WHOLE; whole >= 0; whole = Math.floor(whole / 2) - (whole === 0)) {
      const kept = entries.slice(0, MOST_KEPT).map((entry, n) =>
        n < whole ? entry : { ...entry, state: undefined, texts: undefined });
      try {
        localStorage.setItem(KEPT, JSON.stringify(kept));
        return;
      } catch {
        // Tried again with less, and given up where nothing can be kept at all.
      }
    }
  },

  matching(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    return this.all().filter(({ prompt, champions }) => {
      const text = [prompt, ...(champions ?? [])].join(" ").toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
  },
};

function outcome({ phase, champions }) {
  if (champions) return champions.join(", ") || tell("reveal.no_champion");
  return tell(phase === "void" ? "arena.mine_void" : "arena.mine_open");
}

function paintMine(el, visit) {
  el.mine.hidden = !mine.all().length;
  const day = new Intl.DateTimeFormat(texts.language, { dateStyle: "medium", timeStyle: "short" });
  el.mineList.replaceChildren(...mine.matching(el.mineSearch.value).map((entry) => {
    const address = new URL(location);
    address.search = new URLSearchParams({ battle: entry.id });
    const link = make("a", { href: address.href, dir: "auto" }, entry.prompt);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      visit(entry.id);
    });
    const label = `${tell("arena.mine_remove")}: ${entry.prompt}`;
    const remove = make("button", { type: "button", class: "plain-button", "aria-label": label }, "×");
    remove.addEventListener("click", () => {
      mine.remove(entry.id);
      paintMine(el, visit);
      el.mineSearch.focus();
    });
    const told = make("span", { class: "quiet" }, `${day.format(entry.at)} · ${outcome(entry)}`);
    return make("li", {}, link, told, remove);
  }));
}
