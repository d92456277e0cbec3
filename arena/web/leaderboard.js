// While the Leaderboard tab is looked at, it asks whether votes came in. Runs inside a component
// that lends `trigger`, `watch` and `props`, and whose value says what is drawn.

const LOOK_MS = 4000;
const VERSION = new URL("api/arena/leaderboard/version", document.baseURI);
const seen = () => !document.hidden && document.getElementById("board-status")?.offsetParent;

// Asks for what is newer, if there is any. The question is a plain request, as an event of the
// page would be answered with alarm while the server is away.
async function look() {
  if (!seen()) return;
  const answer = await fetch(VERSION).catch(() => null);
  const known = answer?.ok ? await answer.json().catch(() => null) : null;
  if (known && known.version !== props.value?.version && seen()) trigger("tick");
}

async function keepLooking() {
  await look();
  setTimeout(keepLooking, LOOK_MS);
}

// To those who cannot see it, a chart is its title; what it shows stands in words beside it.
function nameCharts() {
  for (const chart of document.querySelectorAll("#board .board-plot")) {
    const title = chart.closest(".board-card")?.querySelector("h3");
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", title?.dataset.chart);
  }
}

// A menu that is left by the keyboard would stay open over the fields below it.
function closeMenu({ target }) {
  if (!target.closest?.(":is(#board-choice, #board-open)") || target.tagName !== "INPUT") return;
  target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
}

function drawn() {
  if (props.value?.choice !== undefined) trigger("panels");
}

// What this tab of the browser chose before its page was loaded again.
function again() {
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem("arena-board")); } catch {}
  if (kept) props.value = { kept };
}

watch("value", drawn);
drawn();
again();
setTimeout(keepLooking, LOOK_MS);
document.addEventListener("visibilitychange", look);
document.addEventListener("focusout", closeMenu);
const board = document.getElementById("board") ?? document.body;
new MutationObserver(nameCharts).observe(board, { childList: true, subtree: true });
