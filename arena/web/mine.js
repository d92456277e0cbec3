// What this browser played: kept in it alone, found again by its words, and removable. The newest
// are kept whole, so that they can be read when the server has long forgotten them. It does not
// know how a battle is drawn.

const KEPT = "arena-battles";
const WHOLE = "arena-battle:";
const MOST_KEPT = 300;
const MOST_WHOLE = 50;

function kept(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

const mine = {
  all() {
    const entries = kept(KEPT);
    return Array.isArray(entries) ? entries : [];
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

  keep(entries) {
    this.fit(KEPT, JSON.stringify(entries.slice(0, MOST_KEPT)), entries);
  },

  // State, texts and names of a battle, where it is kept whole.
  whole(id) {
    return kept(WHOLE + id);
  },

  keepWhole({ id, state, texts: own, names }) {
    if (this.find(id)) this.fit(WHOLE + id, JSON.stringify({ id, state, texts: own, names }), this.all());
  },

  // A browser that is full keeps fewer of them whole.
  fit(key, text, entries) {
    for (let most = MOST_WHOLE; most; most = Math.floor(most / 2)) {
      this.spare(entries, most);
      hold(() => localStorage, key, text);
      if (hold(() => localStorage, key) === text) return;
    }
  },

  // Keep only the newest so many whole.
  spare(entries, most) {
    const newest = new Set(entries.slice(0, most).map(({ id }) => WHOLE + id));
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(WHOLE) && !newest.has(key)) localStorage.removeItem(key);
      }
    } catch {
      // A frame without storage keeps none.
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
