// The replies in their panes, turn by turn, as they grow. What is finished is not touched again;
// whoever scrolls up stays there. It does not know where a battle comes from.

const NEAR_PX = 40;
const COPIED_MS = 1500;
const REACH = 4;

// Copying ----------------------------------------------------------------------------------------

function copier(label, text) {
  const button = make("button", { type: "button", class: "copy", "aria-label": label }, tell("arena.copy"));
  button.addEventListener("click", async () => {
    button.textContent = tell((await copied(text())) ? "arena.copied" : "arena.not_copied");
    setTimeout(() => { button.textContent = tell("arena.copy"); }, COPIED_MS);
  });
  return button;
}

// Browsers give the clipboard to safe addresses only; the older way works at others too.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { style: "position: fixed; opacity: 0" });
    field.value = text;
    // Beneath an open dialog nothing can be selected.
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

// Turns ------------------------------------------------------------------------------------------

class Turn {
  #done = 0; // characters whose blocks are finished,
  #kept = 0; // and how many blocks these are
  #body = make("div", { class: "answer" });
  #plain = null;
  #drawing = "";
  text = "";

  constructor(prompt) {
    this.element = make("section", { class: "turn" });
    if (prompt) this.element.append(make("p", { class: "asked-again", dir: "auto" }, prompt));
  }

  // Whether the text goes on from what is drawn. A turn only grows.
  takes(text) {
    return text.startsWith(this.#drawing);
  }

  // Draws what is new; false if there was no time for all of it.
  write(text) {
    this.#drawing = text;
    if (!this.#body.parentNode) {
      this.element.append(this.#body, copier(tell("arena.copy_reply"), () => this.text));
    }
    try {
      if (!this.#plain && !this.#blocks(text)) return false;
    } catch (error) {
      if (!(error instanceof TooDeep)) throw error;
      this.#plain = make("div", { class: "plain", dir: "auto" });
      this.#body.replaceChildren(make("p", { class: "pane-note" }, tell("arena.as_written")), this.#plain);
      this.text = "";
    }
    this.#plain?.append(text.slice(this.text.length));
    this.text = text;
    return true;
  }

  #blocks(text) {
    const lines = text.slice(this.#done).split("\n");
    const blocks = blocksOf(lines);
    const first = this.#kept;
    let line = 0;
    for (const [n, block] of blocks.entries()) {
      const whole = place(this.#body, first + n, block);
      const element = this.#body.children[first + n];
      if (!element.dir) element.dir = "auto";
      const next = blocks[n + 1];
      // What comes next begins for good once its first two lines are whole.
      if (!whole) return false;
      if (next && next.from + 2 < lines.length) {
        for (; line < next.from; line += 1) this.#done += lines[line].length + 1;
        this.#kept += 1;
      }
      if (next && isOver()) return false;
    }
    while (this.#body.children.length > first + blocks.length) this.#body.lastChild.remove();
    const formulas = [...this.#body.getElementsByClassName("maths")].slice(0, MOST_FORMULAS);
    formulas.forEach(dress);
    typeset();
    return true;
  }
}

class Replies {
  #turns = [];
  #following = true;
  #end = null;

  constructor(box) {
    this.box = box;
    let before = 0;
    box.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = box;
      if (scrollTop < before) this.#following = false;
      if (scrollHeight - clientHeight - scrollTop < NEAR_PX) this.#following = true;
      before = scrollTop;
    }, { passive: true });
  }

  clear() {
    this.#turns = [];
    this.#following = true;
    this.#end?.disconnect();
    this.box.replaceChildren();
  }

  // False if there was no time for all of it. What has not changed is not touched, nor what is told
  // again from its beginning, as after a lost connection; what is another text is drawn anew.
  draw(texts, prompts) {
    let whole = true;
    let grown = false;
    for (const [n, prompt] of prompts.entries()) {
      if (!this.#turns[n]) {
        this.#turns[n] = new Turn(n ? prompt : "");
        this.box.append(this.#turns[n].element);
        this.#following = true;
        grown = n > 0;
      }
      const text = texts[n] ?? "";
      if (this.#turns[n].text.startsWith(text)) continue;
      if (!this.#turns[n].takes(text)) {
        const { element } = this.#turns[n];
        this.#turns[n] = new Turn(n ? prompt : "");
        element.replaceWith(this.#turns[n].element);
      }
      whole = this.#turns[n].write(text) && whole;
      grown = true;
    }
    if (grown && this.#following) this.box.scrollTop = this.box.scrollHeight;
    return whole;
  }

  // Returns the blocks with formulas that this brings into reach but not into view: browsers lay out
  // several screens ahead. They are left out until `layOut` has its turn.
  toTop() {
    const height = this.box.clientHeight;
    const turn = this.#turns.at(-1)?.element;
    if (!turn) return [];
    const top = this.#turns.length > 1 ? turn.offsetTop : 0;
    const below = [...turn.querySelectorAll(".answer > :has(.maths):not(:last-child)")].filter((block) => {
      const at = block.offsetTop - top;
      return at > height && at < REACH * height;
    });
    for (const block of below) block.style.contentVisibility = "hidden";
    this.box.scrollTop = top;
    return below;
  }

  // Characters in all.
  get size() {
    return this.#turns.reduce((sum, turn) => sum + turn.text.length, 0);
  }

  // Calls `met` once the end of the last reply comes into view, wherever the text is scrolled.
  watchEnd(met) {
    this.#end?.disconnect();
    const last = this.#turns.at(-1)?.element.lastElementChild;
    if (!last) return;
    this.#end = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      this.#end.disconnect();
      met();
    });
    this.#end.observe(last);
  }

  // Where it stands, from 0 at the top to 1 at the end.
  get place() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return scrollHeight > clientHeight ? scrollTop / (scrollHeight - clientHeight) : 0;
  }

  set place(place) {
    this.box.scrollTop = place * (this.box.scrollHeight - this.box.clientHeight);
  }
}
