// A rater's way through a study that leads its raters: instructions, battle after battle, what is
// asked of each, and the end. Which battle comes is the server's; no contender is ever named here.

const RATER = "arena-rater";
const LONGEST_NAME = 64;
const SOMEBODY = "-";
const NO_SUCH = [400, 404, 422];

let led = null;

// The rater that the link names: itself, or as panels do; else a name that stays in this browser.
function raterOf(study) {
  const kept = hold(() => localStorage, `${RATER} ${study}`);
  const given = words.get("rater") || words.get("PROLIFIC_PID") || kept;
  const rater = given || crypto.getRandomValues(new Uint32Array(3)).join("-");
  return [...rater].slice(0, LONGEST_NAME).join("");
}

const studyPath = (rest) =>
  api(`studies/${encodeURIComponent(led.study)}/raters/${encodeURIComponent(led.rater)}${rest}`);

// What the server answers, or null and why on the status line.
async function askStudy(rest, body) {
  const post = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(studyPath(rest), post || {}).catch(() => null);
  const told = await answer?.json().catch(() => null);
  led.refused = answer?.status;
  if (answer?.ok && told) return told;
  led.said = told?.detail ? said(told.detail) : tell("arena.no_answer");
  if (led.refused === SIGNED_OUT) {
    led.said = tell("arena.signed_out");
    watchHost();
  }
  return null;
}

// Whether the server said that there is no such study, or no such rater. Any other refusal passes.
const isUnknown = () => NO_SUCH.includes(led.refused);

// The rater's page as soon as the server is there, which is told until then; whether it was away.
async function findPage() {
  let away = false;
  while (!(led.page = await askStudy("")) && !isUnknown()) {
    if (!away) paintSheet();
    away = true;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return away;
}

// Whether there is such a study, but nobody can be called as the link says.
async function isMisnamed() {
  const { rater, refused } = led;
  if (/^[\w-]+$/.test(rater)) return false;
  led.rater = SOMEBODY;
  await findPage();
  const is = Boolean(led.page);
  Object.assign(led, { page: null, refused, said: tell("arena.led.bad_rater_why", { name: rater }) });
  return is;
}

// Whether the page's link is that of a study that leads its raters. Other names are but labels.
async function lead() {
  if (!purpose.study) return false;
  led = { study: purpose.study, rater: raterOf(purpose.study), page: null };
  await findPage();
  if (!led.page && (await isMisnamed())) {
    paintSheet({ title: tell("arena.led.bad_rater") });
    return true;
  }
  if (!led.page) {
    led = null;
    el.study.hidden = true;
    delete document.documentElement.dataset.led;
    return false;
  }
  hold(() => localStorage, `${RATER} ${led.study}`, led.rater);
  const url = new URL(location);
  url.searchParams.set("rater", led.rater);
  url.searchParams.delete("battle");
  history.replaceState(history.state, "", url);
  led.typed = typedBefore()?.said;
  addEventListener("pagehide", keepTyped);
  el.studyLink.value = `${location.origin}${location.pathname}?${new URLSearchParams({ study: led.study, rater: led.rater })}`;
  if (!askOn()) paintSheet();
  return true;
}

// Sheets ---------------------------------------------------------------------------------------

// title: in the place of the phase's. text: what is said above what the phase reads.
function paintSheet({ title, text } = {}) {
  const { page } = led;
  const phase = page?.phase ?? "away";
  leave();
  document.documentElement.dataset.led = "sheet";
  el.study.hidden = el.studySheet.hidden = false;
  el.studyAfter.hidden = true;
  const beginning = phase === "consent";
  const out = led.refused === SIGNED_OUT;
  const titles = { consent: page?.study, ready: page?.study, away: tell(out ? "arena.signed_out" : "arena.arena_away") };
  el.studyTitle.textContent = title ?? titles[phase] ?? tell(`arena.led.${phase}`);
  const reads = {
    consent: page?.instructions,
    ready: page?.practice && tell("arena.led.practice"),
    finished: page?.end,
    waiting: tell("arena.led.waiting_why"),
    closed: tell("arena.led.closed_why"),
    away: out ? tell("arena.sign_in") : isUnknown() ? led.said : `${led.said}\n${tell("arena.arena_returns")}`,
  };
  const told = [text, reads[phase]].filter(Boolean).join("\n\n");
  // What the study says may lead elsewhere; what is said of a link names what stands in it.
  el.studyText.replaceChildren(...(["consent", "finished"].includes(phase) ? withLinks(told) : [told]));
  el.studyConsent.replaceChildren(...withLinks((beginning && page.consent) || ""));
  el.studyCode.hidden = !page?.code;
  el.studyCode.querySelector("output").textContent = page?.code ?? "";
  el.studyBack.hidden = !page?.link;
  el.studyBack.querySelector("a").href = /^https?:/.test(page?.link ?? "") ? page.link : "";
  el.studyOwn.hidden = ["finished", "closed", "away"].includes(phase);
  el.studyGo.hidden = el.studyOwn.hidden && !owed();
  el.studyGo.textContent = tell(beginning ? "arena.led.agree" : "arena.led.go");
  paintWay();
  attend(el.studyTitle, true);
}

function paintWay() {
  const { done = 0, total = 0 } = led.page ?? {};
  el.studyBar.hidden = el.studyCount.hidden = !total;
  el.studyBar.value = total ? done / total : 0;
  el.studyCount.textContent = tell("arena.led.progress", { done, total });
  el.studyBreak.hidden = document.documentElement.dataset.led === "sheet";
}

async function goOn() {
  if (led.busy) return;
  led.busy = el.studyGo.disabled = true;
  try {
    const agrees = led.page?.phase === "consent";
    const agreed = !agrees || (await askStudy("/consent", { passed: Object.fromEntries(words) }));
    let text = agreed ? "" : led.said;
    let away = await findPage();
    if (!text && !away && askOn()) return;
    if (!text && !away && led.page?.phase === "ready") {
      if (await enter()) return;
      text = led.said;
      away = await findPage();
    }
    paintSheet(away ? {} : { text });
  } finally {
    led.busy = el.studyGo.disabled = false;
  }
}

async function enter() {
  const state = await askStudy("/battles", {});
  if (!state) return false;
  el.asked.open = state.images > 0;
  led.left = null;  // It may be one that was gone and is made anew.
  paintBattle(state.battle);
  return true;
}

function paintBattle(id) {
  el.study.hidden = false;
  el.studySheet.hidden = el.studyAfter.hidden = true;
  document.documentElement.dataset.led = "battle";
  paintWay();
  scrollTo({ top: 0 });
  follow(id);
  attend(el.status);
}

// The battle at whose end they are asked, if they have not answered and it is still there.
const owed = () => (led.page?.unsaid !== led.left && led.page?.unsaid) || "";

// Back to it; whether there is one.
function askOn() {
  if (!owed()) return false;
  led.over = null;
  paintBattle(owed());
  return true;
}

// After a battle -------------------------------------------------------------------------------

async function judged() {
  if (led.over === battle.id) return;
  led.over = battle.id;
  const there = battle;
  const seats = there.state.panes.map(({ seat }) => seat);
  const void_ = there.state.phase === "void";
  const more = asks(led.page.after);
  if (void_ || more) led.page = (await askStudy("")) ?? led.page;
  if (there !== battle) return;
  if (void_) paintSheet({ text: tell("arena.led.void") });
  else if (more) paintQuestions(seats);
  else goOn();
}

const asks = ({ reasons, grades, marks, comment }) =>
  Boolean(reasons?.length || grades || marks?.length || comment);

function paintQuestions(seats) {
  const { reasons = [], grades = 0, marks = [], comment } = led.page.after;
  const group = (legend, name, values, many) => {
    const tags = values.map((value) =>
      make("button", { type: "button", class: "tag", "aria-pressed": "false", "data-name": name, "data-value": String(value) }, String(value)));
    for (const tag of tags) {
      tag.addEventListener("click", () => {
        const on = tag.getAttribute("aria-pressed") !== "true";
        if (!many) for (const other of tags) other.setAttribute("aria-pressed", "false");
        tag.setAttribute("aria-pressed", String(on));
      });
    }
    return make("fieldset", {}, make("legend", {}, legend), ...tags);
  };
  const scale = Array.from({ length: grades }, (_, n) => n + 1);
  // After a break what was typed before it is still there, as it is after a reload.
  const anew = el.studyQuestions.dataset.of !== led.over;
  el.studyQuestions.dataset.of = led.over;
  if (anew) el.studyQuestions.replaceChildren(
    ...reasons.length ? [group(tell("arena.led.reasons"), "reasons", reasons, true)] : [],
    ...grades ? seats.map((seat) => group(tell("arena.led.grade", { letter: seat, best: `${grades}` }), `grade ${seat}`, scale, false)) : [],
    ...marks.length ? seats.map((seat) => group(tell("arena.led.marks", { letter: seat }), `marks ${seat}`, marks, true)) : [],
    ...comment ? [make("label", {}, tell("arena.led.comment"), make("textarea", { rows: "2", maxlength: "2000", dir: "auto" }))] : [],
  );
  retype();
  el.studyUnsent.textContent = "";
  document.documentElement.dataset.led = "after";
  el.studyAfter.hidden = false;
  paintWay();
  attend(el.studyWhy, true);
}

const chosen = () => [...el.studyQuestions.querySelectorAll("[aria-pressed=true]")];
const tagOf = ({ dataset }) => `${dataset.name} ${dataset.value}`;
const comments = () => el.studyQuestions.querySelector("textarea");

// What is typed and chosen of a battle and was not sent, to be kept where the page is loaded again.
function unsaid() {
  const { of } = el.studyQuestions.dataset;
  return of ? { of, tags: chosen().map(tagOf), comment: comments()?.value } : led?.typed;
}

function retype() {
  const { of, tags, comment } = led.typed ?? {};
  led.typed = null;
  if (of !== led.over) return;
  for (const tag of el.studyQuestions.querySelectorAll(".tag")) {
    tag.setAttribute("aria-pressed", String(tags.includes(tagOf(tag))));
  }
  if (comments()) comments().value = comment ?? "";
}

function answered() {
  const pressed = chosen();
  const of = (name) => pressed.filter(({ dataset }) => dataset.name === name).map(({ dataset }) => dataset.value);
  const by = (kind) => [...new Set(pressed.map(({ dataset }) => dataset.name))]
    .filter((name) => name.startsWith(`${kind} `)).map((name) => [name.split(" ")[1], of(name)]);
  const grades = Object.fromEntries(by("grade").map(([seat, [grade]]) => [seat, Number(grade)]));
  const comment = comments()?.value.trim() ?? "";
  return { reasons: of("reasons"), grades, marks: Object.fromEntries(by("marks")), comment };
}

async function sendAnswers() {
  if (el.studyNext.disabled) return;
  el.studyNext.disabled = true;
  const { reasons, grades, marks, comment } = answered();
  const any = reasons.length || Object.keys(grades).length || Object.keys(marks).length || comment;
  // Of who says nothing the server is told too, as they would be asked again.
  const told = await askStudy("/remarks", { battle: led.over, reasons, grades, marks, comment });
  const kept = told || !any;
  if (kept) {
    led.left = led.over;
    delete el.studyQuestions.dataset.of;
  }
  el.studyUnsent.textContent = kept ? "" : `${led.said} ${tell("arena.led.unsent")}`;
  // They may have taken a break meanwhile.
  if (kept && !el.studyAfter.hidden) await goOn();
  el.studyNext.disabled = false;
  if (!kept) attend(el.studyNext);
}

function listenToStudy() {
  el.studyGo.addEventListener("click", goOn);
  el.studyBreak.addEventListener("click", () => paintSheet({ title: tell("arena.led.paused") }));
  el.studyLink.addEventListener("focus", () => el.studyLink.select());
  el.studyAfter.addEventListener("submit", (event) => {
    event.preventDefault();
    sendAnswers();
  });
}
