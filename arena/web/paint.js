// Everything that is drawn: the elements of the page, and how a battle looks on them.
// Elements are looked up once, before any reply is shown, so that nothing a model writes can
// stand in for them. It does not know where a battle comes from.

const LETTERS = "ABCDEFGH";
const OVER = ["decided", "void"];
const GAPS_PX = 46;
const LEAST_PX = 220;
const MOVE_MS = 450;

// What is looked up by its id, and known as `sendFollowUp` and the like.
const IDS = `
  send send-follow-up status round-label asked asked-line asked-text asked-terms asked-images told seats
  equal bad undo stop together same-prompt new-battle reveal battle-head verdict-row purpose examples
  options models topic system temperature images images-chosen mine mine-search mine-list mine-clear
  share share-box share-prompt share-made share-link share-copy share-said share-make share-withdraw
  share-close banner banner-headline banner-detail banner-progress banner-sign-in demo-note
  study study-bar study-count study-break study-sheet study-title study-text study-consent study-code
  study-back study-own study-link study-go study-after study-why study-questions study-unsent study-next
`.trim().split(/\s+/);

const byId = (id) => document.getElementById(id);
const nameOf = (id) => id.replaceAll(/-(\w)/g, (_, letter) => letter.toUpperCase());

// A battle may have as many panes as there are letters, but Gradio draws only the first, as each
// component slows the page's loading. The others are copies.
function copyPanes() {
  const first = byId("pane-a");
  if (!first?.querySelector(".reply")) return;
  for (const letter of LETTERS) {
    const own = (id) => `${id}-${letter.toLowerCase()}`;
    if (byId(own("pane"))) continue;
    const pane = first.cloneNode(true);
    const better = pane.querySelector("#better-a");
    pane.id = own("pane");
    pane.querySelector("#vote-out-a").id = own("vote-out");
    better.id = own("better");
    better.firstChild.data = `${tell("arena.better", { letter })} `;
    pane.querySelector(".reply").setAttribute("aria-label", tell("arena.reply_of", { letter }));
    first.parentNode.append(pane);
  }
}

function elements() {
  const field = (id) => byId(id)?.querySelector("textarea, input");
  const found = {
    prompt: field("prompt"),
    followUp: field("follow-up"),
    formats: byId("format"),
    stage: byId("panes"),
  };
  for (const id of IDS) found[nameOf(id)] = byId(id);
  found.panes = new Map();
  if (learned()) copyPanes();
  for (const root of document.querySelectorAll("#panes > [id^=pane-]")) {
    const seat = root.id.slice(-1).toUpperCase();
    found.panes.set(seat, {
      root,
      name: root.querySelector(".pane-name"),
      chip: root.querySelector(".chip"),
      note: root.querySelector(".pane-note"),
      idle: root.querySelector(".pane-idle"),
      toggle: root.querySelector(".pane-toggle"),
      rest: root.querySelector(".pane-rest"),
      head: root.querySelector(".pane-head"),
      foot: root.querySelector(".pane-foot"),
      voteOut: byId(`vote-out-${seat.toLowerCase()}`),
      better: byId(`better-${seat.toLowerCase()}`),
      box: root.querySelector(".reply"),
    });
  }
  const panesReady = found.panes.size === LETTERS.length && [...found.panes.values()].every((p) => p.voteOut && p.box);
  return panesReady && Object.values(found).every(Boolean) ? found : null;
}

function mounted() {
  return new Promise((resolve) => {
    const look = () => {
      const found = elements();
      if (!found) return;
      changes.disconnect();
      for (const pane of found.panes.values()) pane.replies = new Replies(pane.box);
      for (const field of [found.prompt, found.followUp]) field.dir = "auto";
      resolve(found);
    };
    const changes = new MutationObserver(look);
    changes.observe(document.body, { childList: true, subtree: true });
    look();
  });
}

function say(el, text, kind = "") {
  if (el.status.textContent !== text) el.status.textContent = text;
  el.status.dataset.kind = kind;
  // Above the form, which is longer than a phone.
  if (kind && document.documentElement.dataset.arena === "idle") el.status.scrollIntoView({ block: "nearest" });
}

// What is said of it, rather than which rules hold for it.
const standing = (pane) => tell(`arena.state.${pane.coin ? "by_lot" : pane.state}`);
const isLive = (pane) => !["eliminated", "champion", "void"].includes(pane.state);
const living = (state) => state.panes.filter(isLive).map((pane) => pane.seat);

function headline(state) {
  if (state.notice) return said(state.notice);
  if (state.phase === "void") return tell("arena.stopped");
  if (state.phase === "decided") return tell("arena.decided");
  if (state.phase === "voting") {
    if (state.final) return tell("arena.which_better");
    return tell(living(state).length > 2 ? "arena.which_weakest" : "arena.which_weaker");
  }
  const stage = state.panes.find(isLive)?.state;
  if (stage === "queued" && state.place) return tell("arena.in_line_at", { number: state.place });
  return tell(`arena.stage.${["queued", "warming", "writing"].includes(stage) ? stage : "waiting"}`);
}

function roundLabel(state) {
  const format = tell(`arena.${state.format}`);
  if (OVER.includes(state.phase)) return format;
  const coming = state.to_come && tell("arena.to_come", { count: state.to_come });
  const rest = state.final ? tell("arena.final") : coming;
  return [format, tell("arena.round", { number: state.round }), rest].filter(Boolean).join(" · ");
}

function paintPane(pane, shown, state, names, key) {
  const { seat } = shown;
  const live = isLive(shown);
  const over = OVER.includes(state.phase);
  if (pane.root.dataset.live === "true" && !live && shown.state === "eliminated") expand(pane, false);
  pane.root.dataset.state = shown.state;
  pane.root.dataset.live = live || shown.state === "champion" || state.phase === "void";
  const model = tell("arena.model", { letter: seat });
  pane.name.textContent = model;
  if (names?.[seat]) {
    pane.name.replaceChildren(make("strong", {}, names[seat]), make("span", {}, model));
  }
  pane.chip.textContent = standing(shown);
  pane.chip.dataset.state = shown.state;
  const notes = [
    shown.flagged && tell("arena.gave_away"),
    shown.cut && tell("arena.cut"),
  ].filter(Boolean);
  pane.note.textContent = notes.join(" ");
  pane.note.hidden = !notes.length;
  pane.idle.textContent = live && !over && texts.arena.idle[shown.state] || "";
  for (const button of [pane.voteOut, pane.better]) {
    button.querySelector("kbd").textContent = key ?? "";
  }
  pane.voteOut.hidden = state.final;
  pane.better.hidden = !state.final;
}

function paintSeats(el, state, names) {
  const links = state.panes.map((shown) => {
    const { seat, state: word } = shown;
    const name = names?.[seat] ?? tell("arena.model", { letter: seat });
    const label = tell("arena.show_reply", { name, state: standing(shown) });
    const pane = el.panes.get(seat);
    const link = make("button", { type: "button", "data-state": word, "aria-label": label }, seat);
    link.dataset.unread = pane.root.dataset.unread ?? "false";
    link.addEventListener("click", () =>
      pane.root.scrollIntoView({ block: "nearest", inline: "center" }));
    return link;
  });
  el.seats.replaceChildren(...links);
  paintSwiped(el);
}

// On a phone one pane fills the width; its letter is marked.
function paintSwiped(el) {
  const { scrollLeft, clientWidth } = el.stage;
  for (const link of el.seats.children) {
    const left = el.panes.get(link.textContent).root.offsetLeft - scrollLeft;
    link.setAttribute("aria-current", Math.abs(left) < clientWidth / 2);
  }
}

// The images that came with the first prompt, from where the server keeps them.
function paintImages(box, { battle: id, images = 0 }) {
  if (box.dataset.of === `${id} ${images}`) return;
  box.dataset.of = `${id} ${images}`;
  box.replaceChildren(...Array.from({ length: images }, (_, index) => {
    const src = api(`battles/${encodeURIComponent(id)}/images/${index + 1}`);
    const image = make("img", { src, alt: tell("arena.image", { number: index + 1 }) });
    image.addEventListener("error", () => image.remove());
    return image;
  }));
}

// What all contenders were given alike beside the prompts.
function terms({ system, temperature }) {
  return [
    system && tell("arena.asked_system", { system }),
    (temperature ?? null) !== null && tell("arena.asked_temperature", { number: temperature }),
  ].filter(Boolean).join("\n");
}

// Draws all but the texts. `names` maps letters to contenders, and is null before the reveal.
function paintState(el, state, names) {
  const live = living(state);
  const root = document.documentElement;
  root.dataset.arena = state.phase;
  root.dataset.final = state.final;
  root.dataset.unmasked = Boolean(names);
  root.dataset.followUp = state.phase === "voting" && state.follow_up;
  el.roundLabel.textContent = roundLabel(state);
  el.askedLine.textContent = el.askedText.textContent = state.prompts[0];
  el.askedTerms.textContent = terms(state);
  el.askedTerms.hidden = !el.askedTerms.textContent;
  paintImages(el.askedImages, state);
  const seats = new Map(state.panes.map((pane) => [pane.seat, pane]));
  for (const [seat, pane] of el.panes) {
    pane.root.dataset.seated = seats.has(seat);
    const key = live.indexOf(seat) + 1 || null;
    if (seats.has(seat)) paintPane(pane, seats.get(seat), state, names, key);
  }
  el.together.hidden = live.length < 2;
  if (root.dataset.round !== String(state.round)) el.stage.scrollTo({ left: 0 });
  root.dataset.round = state.round;
  paintSeats(el, state, names);
  el.undo.hidden = !state.undo;
  el.equal.querySelector("span").textContent = tell(state.final ? "arena.equal_two" : "arena.equal");
  el.bad.querySelector("span").textContent = tell(state.final ? "arena.bad_two" : "arena.bad");
  el.newBattle.querySelector("span").textContent =
    tell(OVER.includes(state.phase) ? "arena.new_battle" : "arena.leave_battle");
}

// As without a battle: nothing is left of any.
function paintIdle(el) {
  const root = document.documentElement;
  root.dataset.arena = "idle";
  root.dataset.final = root.dataset.followUp = root.dataset.unmasked = root.dataset.kept = "false";
  delete root.dataset.round;
  for (const line of [el.roundLabel, el.told, el.askedLine, el.askedText, el.askedTerms]) line.textContent = "";
  paintImages(el.askedImages, { battle: "" });
  el.seats.replaceChildren();
  el.undo.hidden = el.together.hidden = true;
  for (const [seat, pane] of el.panes) {
    pane.root.dataset.seated = "false";
    pane.replies.clear();
    pane.watched = 0;
    unread(el, seat, false);
    delete pane.root.dataset.live;
    expand(pane, false);
  }
}

// Told beside the vote of a reply that was not read to its end.
function unread(el, seat, is) {
  const pane = el.panes.get(seat);
  pane.root.dataset.unread = is;
  pane.rest.hidden = !is;
  const link = [...el.seats.children].find(({ textContent }) => textContent === seat);
  if (link) link.dataset.unread = is;
}

function paintPurpose(el, { study, topic }) {
  const said = [
    study && tell("arena.study", { name: study }),
    topic && tell("arena.topic", { name: topic }),
  ].filter(Boolean);
  el.purpose.textContent = said.join(" · ");
  el.purpose.hidden = !said.length;
}

function expand(pane, open) {
  pane.root.dataset.open = open;
  pane.toggle.setAttribute("aria-expanded", open);
  pane.toggle.textContent = tell(open ? "arena.fold" : "arena.read");
}

// Panes take what the window has beside the lines above and the verdicts below them.
function fit(el) {
  const pane = [...el.panes.values()].find(({ root }) => root.dataset.live === "true");
  if (!pane) return;
  const top = el.stage.parentNode.getBoundingClientRect().top + scrollY;
  const beside = [el.battleHead, pane.head, pane.foot, el.verdictRow]
    .reduce((sum, each) => sum + each.getBoundingClientRect().height, 0);
  const left = Math.floor(innerHeight - top - beside - GAPS_PX);
  document.documentElement.style.setProperty("--pane-height", `${Math.max(left, LEAST_PX)}px`);
}

// What changes place on the page is seen to move there, unless it, or the person, wants it still.
function change(el, moves, how) {
  if (!moves || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    how();
    return;
  }
  const roots = [...el.panes.values()].map((pane) => pane.root);
  const before = roots.map((root) => root.getBoundingClientRect());
  how();
  for (const [n, root] of roots.entries()) {
    const [from, to] = [before[n], root.getBoundingClientRect()];
    const [x, y] = [from.left - to.left, from.top - to.top];
    if (!from.width || !to.width || (!x && !y)) continue;
    const start = { transform: `translate(${x}px, ${y}px)`, zIndex: 1 };
    root.animate([start, { transform: "none", zIndex: 1 }], { duration: MOVE_MS, easing: "cubic-bezier(.3, 0, .2, 1)" });
  }
}

function paintReadiness(el, ready) {
  el.banner.hidden = ready.ready;
  el.bannerHeadline.textContent = said(ready.headline);
  el.bannerDetail.textContent = said(ready.detail);
  el.bannerProgress.hidden = ready.progress === null;
  if (ready.progress !== null) el.bannerProgress.value = ready.progress;
  el.demoNote.hidden = !ready.demo;
  el.bannerSignIn.hidden = !ready.signedOut;
  document.documentElement.dataset.signedOut = Boolean(ready.signedOut);
}

// Draws what is new of the texts; false if there was no time for all of it.
function paintTexts(el, { state, texts }) {
  let whole = true;
  Object.assign(slice, { ms: SLICE_MS, since: 0 });
  for (const pane of state.panes) {
    const own = texts[pane.seat] ?? [];
    const prompts = isLive(pane) ? state.prompts : state.prompts.slice(0, own.length);
    whole = el.panes.get(pane.seat).replies.draw(own, prompts) && whole;
  }
  return whole;
}
