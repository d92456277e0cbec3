// One battle in this browser tab: follows the server's events, sends the person's moves, and
// answers the keyboard. Runs inside the component `ctl`, which lends `trigger`, `watch`, `props`.
// It knows no contender's name before the server's reveal.

const SLOW_MS = 20_000;
const LATE_MS = 1000;
const SLOWEST = 10; // bytes a millisecond of a line over which images still come
const SILENT_MS = 16_000; // three signs of life
const RETRY_MS = 2000;
const PAINT_MS = 120;
const PAUSE_MS = 700;
const SIGNED_OUT = 401;
const LONGEST_DWELL_MS = 24 * 3600 * 1000;
const HELD = "arena-battle";
const TYPED = "arena-typed";
const FORM = ["prompt", "format", "models", "system", "temperature"];
const EVENTS = ["round", "gate", "token", "eliminated", "finished", "void", "alive"];
const READ = ["voting", ...OVER];
const api = (path) => new URL(`api/arena/${path}`, document.baseURI);

let el = null;
let source = null;
let battle = null;
let pending = null;
let missed = null;
let asked = 0;
let painting = false;
let stale = false;
let host = { ready: false };
let looks = null;
let silence = null;
let due = null;
let images = [];
let paintChosen = null;

function hold(storage, key, value) {
  try {
    if (value === undefined) return storage().getItem(key);
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, value);
  } catch {
    // A frame without storage still plays; it only cannot resume.
  }
  return value ?? null;
}

const session = (value) => hold(() => sessionStorage, HELD, value);

// Whom the server takes us for is in a cookie that no script can read; only where that is not kept,
// as in a frame of another site, are we told.
let me = hold(() => localStorage, "arena-session") ?? "";

// What the votes cast from this address are for: a study and a topic, as its link says.
const words = new URLSearchParams(location.search);
const purpose = { study: words.get("study") ?? "", topic: words.get("topic") ?? "" };

// Following a battle ---------------------------------------------------------------------------

// The battle's address, so that Back, a reload and another day come to it.
function address(id, change = "pushState") {
  const url = new URL(location);
  for (const used of ["battle", ...(id ? FORM : [])]) url.searchParams.delete(used);
  if (id) url.searchParams.set("battle", id);
  if (url.href !== location.href) history[change](history.state, "", url);
}

const addressed = () => new URLSearchParams(location.search).get("battle");

function follow(id) {
  take({ id, texts: {}, last: 0, rests: false });
  if (!led) session(id);
  const there = battle;
  source = new EventSource(api(`battles/${encodeURIComponent(id)}/events`));
  for (const name of EVENTS) {
    source.addEventListener(name, (event) => there === battle && receive(event));
  }
  source.addEventListener("error", () => there === battle && lost(there));
  hear();
}

// A connection may be dead without a word of it, as where another network has taken its place.
function hear() {
  clearTimeout(silence);
  silence = setTimeout(listenAnew, SILENT_MS);
}

function listenAnew() {
  if (source && source.readyState !== EventSource.CLOSED) follow(battle.id);
}

// The battle that is on the page from now on. What is drawn and known stays where it is the same
// one, as after a lost connection.
function take(next) {
  if (battle?.id !== next.id) {
    leave();
    document.documentElement.dataset.arena = "answering";
  }
  source?.close();
  battle = { state: null, names: null, last: 0, openSince: 0, spent: 0, ...battle, ...next };
  unlock();
}

// Nothing of a battle is seen, sent or shared beside another.
function leave() {
  source?.close();
  source = battle = due = null;
  el.shareBox.close();
  write(el.followUp, "");
  paintIdle(el);
  say(el, "");
}

function receive(event) {
  hear();
  const number = Number(event.lastEventId);
  if (number <= battle.last) return;
  battle.last = number;
  const { state, pieces = [], anew } = JSON.parse(event.data);
  if (anew) battle.texts = {};
  for (const { seat, turn, text } of pieces) {
    const turns = (battle.texts[seat] ??= []);
    turns[turn] = (turns[turn] ?? "") + text;
  }
  const before = battle.state;
  // Two replicas may tell of one battle; an older word that comes late is no news.
  if (state && state.version >= (before?.version ?? 0)) battle.state = state;
  if (!battle.state) return;
  const { phase, prompts } = battle.state;
  // That it was asked is known, even where the answer to that is lost.
  const turns = before?.prompts.length ?? 1;
  if (turns < prompts.length && prompts.at(-1) === el.followUp.value.trim()) write(el.followUp, "");
  if (OVER.includes(phase)) source.close();
  announce(before, battle.state);
  repaint();
  if (!state) return;
  if (phase !== "voting" || !before || turnOf(before) !== turnOf(battle.state)) battle.openSince = 0;
  draw();
  if (led && OVER.includes(phase)) judged();
  else unmask();
  stepBack();
}

// A browser has six connections to a server, for all its tabs together. None is held by one that
// nobody looks at while all that is waited for is a vote; whoever is still to come to a battle
// writes only as long as it is followed.
function stepBack() {
  const state = battle?.state;
  const waits = state?.phase === "voting" && !state.to_come && !pending && state.version !== battle.spent;
  if (document.hidden && waits) {
    source.close();
    battle.rests = true;
  } else if (!document.hidden && battle?.rests) follow(battle.id);
}

async function lost(there) {
  if (source.readyState !== EventSource.CLOSED) {
    say(el, tell("arena.connection_lost"), "error");
    return;
  }
  const within = { signal: AbortSignal.timeout(SILENT_MS) };
  const known = await fetch(api(`battles/${encodeURIComponent(there.id)}`), within).catch(() => null);
  if (there !== battle || OVER.includes(there.state?.phase)) return;
  const own = known?.status === 404 && mine.whole(battle.id);
  if (own) {
    show(own);
    return;
  }
  if (known?.status === 404 && led) {
    led.left = there.id;
    paintSheet();
    return;
  }
  if (known?.status === 404) {
    start();
    address("", "replaceState");
    say(el, tell("arena.battle_gone"), "notice");
    return;
  }
  say(el, tell(known?.status === SIGNED_OUT ? "arena.signed_out" : "arena.connection_lost"), "error");
  setTimeout(() => there === battle && follow(there.id), RETRY_MS);
}

// A battle that only this browser still has.
function show({ id, state, texts: own, names }) {
  take({ id, state, texts: own, names, kept: true });
  draw();
  repaint();
}

// Drawing --------------------------------------------------------------------------------------

// Told to those who do not see the panes: who has ended, and who is out.
function announce(before, state) {
  const was = new Map(before?.panes.map((pane) => [pane.seat, pane.state]));
  const news = state.panes.filter((pane) => was.get(pane.seat) !== pane.state);
  const told = news.filter(({ state: word }) => ["complete", "eliminated"].includes(word))
    .map((pane) => `${tell("arena.model", { letter: pane.seat })}: ${standing(pane)}`);
  if (before && told.length) el.told.textContent = told.join(". ");
}

function draw() {
  const { state, names } = battle;
  const moves = battle.drawn !== `${state.phase} ${state.round}`;
  battle.drawn = `${state.phase} ${state.round}`;
  change(el, moves, () => {
    paintState(el, state, names);
    const full = state.phase === "voting" && !state.follow_up && !led && tell("arena.turns_over");
    say(el, [headline(state), full].filter(Boolean).join(" "), state.phase === "void" ? "notice" : "");
    document.documentElement.dataset.kept = Boolean(battle.kept);
    offerShare(el, battle);
    fit(el);
  });
  if (state.phase === "void" && !battle.kept && !led) keepWhole();
  keepFocus();
  // Voting opens when the texts are there.
  if (state.phase === "voting") repaint();
  else unlock();
}

// One painting of the texts at a time, in turn with whatever else takes long.
async function repaint() {
  stale = true;
  if (painting) return;
  painting = true;
  try {
    while (stale) {
      let there = null;
      await inTurn(() => {
        stale = false;
        there = battle;
        if (there?.state) stale = !paintTexts(el, there);
      });
      if (!there?.state) continue;
      if (!stale && there === battle && READ.includes(there.state.phase)) openVoting();
    }
  } finally {
    painting = false;
  }
}

// Every reply is read from its beginning, also of a battle that is over; of one whose end was not in view that is told.
async function openVoting() {
  const there = battle;
  if (there.opened !== turnOf(there.state)) {
    there.opened = turnOf(there.state);
    there.wound = toTops();
  }
  await there.wound;
  if (battle !== there || there.state.phase !== "voting") return;
  for (const [seat, pane] of el.panes) {
    if (pane.watched === pane.replies.size) continue;
    pane.watched = pane.replies.size;
    unread(el, seat, Boolean(pane.watched));
    pane.replies.watchEnd(() => unread(el, seat, false));
  }
  there.legible = there.opened;
  unlock();
}

const turnOf = ({ round, prompts }) => `${round} ${prompts.length}`;

// One after the other, as each has much to lay out that was out of sight.
async function toTops() {
  const below = [];
  for (const pane of el.panes.values()) {
    if (!pane.replies.size) continue;
    await inTurn(() => below.push(...pane.replies.toTop()));
  }
  layOut(below);
}

// The focus does not fall to the body when what had it goes away.
function keepFocus() {
  const at = document.activeElement;
  if (!at || at === document.body || at.disabled || !at.checkVisibility()) attend(el.status);
}

// What may be pressed now. `spent` is the version of the battle that was moved on already, while
// the server's word of it is still on its way.
function unlock() {
  const state = battle?.state;
  const legible = state?.phase === "voting" && battle.legible === turnOf(state);
  const open = legible && !pending && state.version !== battle.spent;
  if (open && !battle.openSince) battle.openSince = performance.now();
  // Whoever presses twice, or what stood there before, judges nothing by it.
  const pause = open ? battle.openSince + PAUSE_MS - performance.now() : 0;
  if (pause > 0) setTimeout(unlock, pause);
  const judges = open && pause <= 0;
  const live = state ? living(state) : [];
  for (const [seat, pane] of el.panes) {
    pane.voteOut.disabled = pane.better.disabled = !judges || !live.includes(seat);
  }
  el.equal.disabled = el.bad.disabled = !judges;
  el.undo.disabled = Boolean(pending) || !state?.undo || state.version === battle.spent;
  el.sendFollowUp.disabled = !open || !state.follow_up;
  el.samePrompt.disabled = el.newBattle.disabled = Boolean(pending);
  el.send.disabled = Boolean(pending || reading) || !host.ready;
  el.stop.hidden = state?.phase !== "answering";
  el.stop.disabled = Boolean(pending);
  if (due && !due.button.disabled) send(due.field, due.button);
}

// Enter in a field: at once, or as soon as its button may be pressed.
function send(field, button) {
  due = button.disabled ? { field, button } : null;
  if (!due) button.click();
}

function start() {
  leave();
  session(null);
  paintMine(el, visit);
  unlock();
}

// The battle at its end, to be found and read when the server has forgotten it.
function keepWhole() {
  const { id, state: { phase, panes }, names } = battle;
  const champions = names && panes.filter((pane) => pane.state === "champion").map(({ seat }) => names[seat]);
  mine.note(id, { phase, champions });
  mine.keepWhole(battle);
}

function visit(id) {
  address(id);
  follow(id);
  attend(el.status);
}

// Moves ----------------------------------------------------------------------------------------

function ask(move, payload, then) {
  if (pending) return;
  const re = asked += 1;
  missed = null;
  const weight = payload.images?.join("").length ?? 0;
  const timer = setTimeout(() => {
    const { of, at } = pending;
    giveUp(weight ? "arena.images_slow" : "arena.no_answer");
    // The battle itself may tell that the move has come.
    if (of && of === battle?.id && at !== battle.state?.version) draw();
  }, SLOW_MS + weight / SLOWEST);
  // Gradio tells nobody that a move was refused, as where the sign-in has ended.
  setTimeout(() => pending?.payload.re === re && watchHost(), LATE_MS);
  const link = led ? { link: `${led.study}/${led.rater}` } : {};
  const meant = { of: battle?.id, at: battle?.state?.version };
  pending = { payload: { ...payload, ...link, session: me, re }, then, timer, ...meant };
  unlock();
  move();
}

function giveUp(why) {
  const late = pending;
  settle({ re: late.payload.re, error: tell(why) });
  if (!pending) missed = late;
}

// An answer that comes late is taken where nothing was begun meanwhile.
function settle(answer) {
  const move = pending ?? (missed?.of === battle?.id ? missed : null);
  if (!answer || answer.re !== move?.payload.re) {
    if (answer?.names) redraw();
    return;
  }
  const { then, timer, of } = move;
  clearTimeout(timer);
  pending = missed = null;
  if (answer.session) me = hold(() => localStorage, "arena-session", answer.session);
  if (answer.error && of === battle?.id) say(el, said(answer.error), "error");
  then(answer);
  unlock();
  unmask();
  stepBack();
}

function open() {
  const format = el.formats.querySelector("input:checked")?.value ?? "";
  say(el, images.length ? tell("arena.images_sent") : "");
  const temperature = el.temperature.value === "" ? null : el.temperature.valueAsNumber;
  opened({ prompt: el.prompt.value, format, size: Number(el.models.value), system: el.system.value, temperature, images });
}

function opened(what) {
  const fields = { ...what, study: purpose.study, topic: el.topic.value };
  ask(() => trigger("open"), fields, (answer) => entered(answer, what));
}

function again() {
  if (!battle) return;
  const { prompts: [prompt], format, panes, to_come: toCome, system = "", temperature = null } = battle.state;
  const what = { prompt, format, size: panes.length + toCome, system, temperature, images: [] };
  if (battle.kept) opened(what);
  else ask(() => trigger("again"), { battle: battle.id }, (answer) => entered(answer, what));
}

function entered(answer, { prompt, format }) {
  if (answer.error) return;
  mine.note(answer.battle, { at: Date.now(), prompt: prompt.trim(), format });
  start();
  address(answer.battle);
  // The next one may be typed already.
  if (el.prompt.value === prompt) write(el.prompt, "");
  paintChosen([]);
  scrollTo({ top: 0 });
  follow(answer.battle);
  say(el, tell("arena.opening"));
  attend(el.status);
}

function vote(judgement, seat = "") {
  const { id, state, openSince } = battle;
  const dwell = Math.min(Math.round(performance.now() - openSince), LONGEST_DWELL_MS);
  const { round, ballot } = state;
  const cast = { battle: id, round, ballot, judgement, seat, dwell_ms: dwell };
  ask(() => trigger("vote"), cast, movedOn());
}

// The second click of two is none.
const once = (judge) => ({ detail }) => detail < 2 && judge();

function better(seat) {
  vote("drop", living(battle.state).find((other) => other !== seat));
}

// What is there is judged only if every reply has ended by then; else there is no result.
function stop() {
  ask(() => trigger("stop"), { battle: battle.id }, () => attend(el.status));
}

// Panes scroll with the one that the person scrolls.
function scrollTogether(leader) {
  if (el.together.getAttribute("aria-pressed") !== "true") return;
  if (!leader.box.matches(":hover, :focus, :focus-within")) return;
  for (const { replies } of el.panes.values()) if (replies !== leader) replies.place = leader.place;
}

function undo() {
  ask(() => trigger("undo"), { battle: battle.id }, movedOn());
}

// Out of a battle that is not over: it ends, and nobody writes on for it.
function leaveBattle() {
  const over = !battle?.state || OVER.includes(battle.state.phase);
  const id = battle?.id;
  const done = () => {
    if (id !== battle?.id) return;
    start();
    address("");
    attend(el.prompt, true);
  };
  if (over) done();
  else ask(() => trigger("abandon"), { battle: id }, done);
}

function followUp() {
  const { id, state: { ballot } } = battle;
  ask(() => trigger("follow"), { battle: id, ballot, prompt: el.followUp.value }, movedOn());
}

// What to do with the answer to a move that leaves the present version of the battle behind.
function movedOn() {
  const there = battle;
  const { version } = battle.state;
  return (answer) => {
    if (!answer.error) there.spent = version;
    attend(el.status);
  };
}

// Asks for the names once the battle is decided, and again until they are there.
function unmask() {
  if (led || pending || host.signedOut || battle?.state?.phase !== "decided" || battle.names || battle.waits) return;
  const there = battle;
  ask(() => trigger("unmask"), { battle: there.id }, (answer) => {
    if (there !== battle) return;
    if (answer.error) {
      there.waits = true;
      setTimeout(() => { there.waits = false; unmask(); }, RETRY_MS);
      return;
    }
    there.names = answer.names;
    keepWhole();
    draw();
    setTimeout(() => attend(el.reveal.querySelector("h2"), true), PAINT_MS);
  });
}

// The reveal of another battle came late, and is drawn in the place of this one's.
function redraw() {
  if (!battle?.names || battle.kept) return;
  battle.names = null;
  draw();
  unmask();
}

globalThis.arena = { payload: () => pending.payload };

// The person -----------------------------------------------------------------------------------

function attend(target, scroll = false) {
  target?.focus({ preventScroll: true });
  if (scroll) target?.scrollIntoView({ block: "center" });
}

function write(field, text) {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// Which shortcut a key is: by its place where it writes another alphabet, or digits only with Shift.
function keyOf({ key, code, shiftKey }) {
  if (/^[a-z\d]$/i.test(key)) return key.toLowerCase();
  const [, letter, digit] = /^(?:Key(.)|Digit(.))$/.exec(code) ?? [];
  if (digit && !shiftKey) return digit;
  return letter && key > "~" ? letter.toLowerCase() : "";
}

// The shortcuts; true when the key did something.
function press(key) {
  const over = OVER.includes(battle?.state?.phase);
  const pane = battle?.state && el.panes.get(living(battle.state)[Number(key) - 1]);
  const button = {
    e: el.equal,
    b: el.bad,
    u: el.undo,
    n: over && el.newBattle,
    s: over && el.samePrompt,
  }[key] ?? (pane && (battle.state.final ? pane.better : pane.voteOut));
  const target = key === "f" ? el.followUp : button;
  if (!target?.offsetParent || target.disabled) return false;
  if (key === "f") target.focus();
  else target.click();
  return true;
}

// What a link asks for: `prompt`, `format`, `models`, `topic`, `system`, `temperature`, beside `study` and `battle`.
// Or, of the same names, what was typed.
function prefill(from) {
  if (from.prompt) write(el.prompt, from.prompt);
  [...el.formats.querySelectorAll("input")].find(({ value }) => value === from.format)?.click();
  if ([...el.models.options].some(({ value }) => value === from.models)) el.models.value = from.models;
  for (const name of ["topic", "system", "temperature"]) el[name].value = from[name] ?? "";
  el.options.open = ["system", "temperature"].some((name) => from[name]) || from.models > 0 || images.length > 0;
}

// A page that loses a request loads itself again: what is typed is kept for this tab of the browser.
function keepTyped() {
  const fields = ["prompt", "models", "topic", "system", "temperature", "followUp"].map((name) => [name, el[name].value]);
  const typed = {
    ...Object.fromEntries(fields),
    format: el.formats.querySelector("input:checked")?.value,
    battle: battle?.id,
    unanswered: Boolean(pending ?? missed),
    signsIn: Boolean(host.signedOut),
    at: location.search,
    said: unsaid(),
    images: [],
  };
  // A browser that is full keeps no images.
  for (const more of [{}, { images }]) hold(() => sessionStorage, TYPED, JSON.stringify({ ...typed, ...more }));
}

// What was typed at this address before the page was loaded again, or somebody signed in: not what
// was left by whoever comes anew.
function typedBefore() {
  const typed = JSON.parse(hold(() => sessionStorage, TYPED));
  const again = performance.getEntriesByType("navigation")[0]?.type === "reload" || typed?.signsIn;
  hold(() => sessionStorage, TYPED, null);
  return again && typed?.at === location.search ? typed : null;
}

function listen() {
  paintChosen = listenToImages(el, (chosen = images, whole = true) => {
    images = chosen;
    if (!whole) due = null;
    unlock();
  });
  el.send.addEventListener("click", open);
  el.sendFollowUp.addEventListener("click", followUp);
  el.equal.addEventListener("click", once(() => vote("tie")));
  el.bad.addEventListener("click", once(() => vote("bad")));
  el.samePrompt.addEventListener("click", again);
  el.newBattle.addEventListener("click", leaveBattle);
  el.undo.addEventListener("click", undo);
  el.stop.addEventListener("click", stop);
  el.bannerSignIn.addEventListener("click", () => location.reload());
  el.together.addEventListener("click", () => {
    const on = el.together.getAttribute("aria-pressed") !== "true";
    el.together.setAttribute("aria-pressed", on);
  });
  el.stage.addEventListener("scroll", () => paintSwiped(el), { passive: true });
  document.addEventListener("visibilitychange", stepBack);
  addEventListener("online", listenAnew);
  addEventListener("popstate", () => {
    if (led) return;
    const id = addressed();
    if (id === battle?.id) return;
    if (id) follow(id);
    else start();
  });
  el.mineSearch.addEventListener("input", () => paintMine(el, visit));
  el.mineClear.addEventListener("click", () => { mine.keep([]); paintMine(el, visit); });
  listenToShare(el, ask, () => battle);
  listenToStudy();
  addEventListener("resize", () => {
    if (battle?.state) fit(el);
    paintSwiped(el);
  });
  for (const [seat, pane] of el.panes) {
    pane.voteOut.addEventListener("click", once(() => vote("drop", seat)));
    pane.better.addEventListener("click", once(() => better(seat)));
    pane.toggle.addEventListener("click", () => expand(pane, pane.root.dataset.open !== "true"));
    pane.rest.addEventListener("click", () => {
      const whole = pane.root.dataset.open === "true";
      (whole ? window : pane.box).scrollBy({ top: 0.9 * (whole ? innerHeight : pane.box.clientHeight) });
      pane.box.focus({ preventScroll: true });
    });
    pane.box.addEventListener("scroll", () => scrollTogether(pane.replies), { passive: true });
  }
  for (const chip of el.examples.querySelectorAll("button")) {
    chip.addEventListener("click", () => { write(el.prompt, chip.dataset.prompt); el.prompt.focus(); });
  }
  for (const [field, button] of [[el.prompt, el.send], [el.followUp, el.sendFollowUp]]) {
    field.addEventListener("keydown", (event) => {
      // The Enter that ends a composition; Safari says so by its code alone.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      send(field, button);
    });
    field.addEventListener("input", () => { due = null; });
    // The component takes Shift+Enter, which is the new line here, for a submit.
    field.addEventListener("keypress", (event) => event.stopImmediatePropagation(), true);
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || el.shareBox.open || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (press(keyOf(event))) event.preventDefault();
  });
}

// The page's head asks as soon as it is there, long before this script is.
let early = globalThis.arenaStatus;

const closed = (headline, detail) => ({ ready: false, headline: tell(headline), detail: tell(detail), progress: null, demo: false });

async function readiness() {
  const answer = await fetch(api("status")).catch(() => null);
  if (answer?.status === SIGNED_OUT) return { ...closed("arena.signed_out", "arena.sign_in"), signedOut: true };
  return answer?.ok ? answer.json().catch(() => null) : null;
}

async function watchHost() {
  const known = await (early ?? readiness());
  early = null;
  const wasOut = host.signedOut;
  host = known ?? closed("arena.arena_away", "arena.arena_returns");
  paintReadiness(el, host);
  if (host.signedOut && pending) {
    giveUp("arena.sign_in_again");
    attend(el.bannerSignIn, true);
  }
  unlock();
  if (wasOut) unmask();
  clearTimeout(looks);
  looks = setTimeout(watchHost, host.ready ? 10_000 : 1000);
}

watch("value", () => settle(props.value));
mounted().then((found) => {
  el = found;
  // Gradio names it in English only.
  document.querySelector(".overflow-menu > button")?.setAttribute("aria-label", tell("arena.more_tabs"));
  // Of the battle that this tab was at, unless the link is for another one.
  const held = addressed() ?? (FORM.some((name) => words.has(name)) ? null : session());
  start();
  listen();
  watchHost();
  lead().then((leads) => leads || begin(held));
});

function begin(held) {
  paintPurpose(el, purpose);
  const typed = typedBefore();
  paintChosen(typed?.images ?? []);
  const link = { ...Object.fromEntries(words), ...purpose };
  prefill(typed ? { ...typed, prompt: typed.prompt || link.prompt } : link);
  addEventListener("pagehide", keepTyped);
  if (!held) {
    if (typed?.unanswered && !typed.signsIn) say(el, tell("arena.no_answer"), "error");
    return;
  }
  address(held, "replaceState");
  follow(held);
  if (typed?.battle === held) write(el.followUp, typed.followUp);
}
