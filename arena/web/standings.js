// The table of standings sorts by its headings, shows only names that are searched for, and stays
// so when it is drawn anew; a row opens the card of its model. Runs inside its component, which
// lends `element` and `watch`.

let key = "rank";
let descending = false;

const cell = (row, at) => row.children[at]?.dataset.by ?? "";

function order(left, right) {
  if (!left || !right) return (left ? 0 : 1) - (right ? 0 : 1);
  const gap = Number(left) - Number(right);
  const found = Number.isNaN(gap) ? left.localeCompare(right) : gap;
  return descending ? -found : found;
}

// Sorts each group of contenders by itself, and says so in the heading.
function sort() {
  const table = element.querySelector(".board-table");
  if (!table) return;
  const heads = [...table.tHead.rows[0].cells];
  for (const head of heads) {
    if (head.dataset.key !== key) head.removeAttribute("aria-sort");
    else head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }
  const at = heads.findIndex((head) => head.dataset.key === key);
  if (at < 0) return;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("board-group"));
    rows.sort((a, b) => order(cell(a, at), cell(b, at)));
    body.append(...rows);
  }
}

const everyRow = () => [...element.querySelectorAll("tbody tr:not(.board-group)")];

function find() {
  const words = (document.getElementById("board-find")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const row of everyRow()) {
    const name = row.cells[1].dataset.by.toLowerCase();
    row.hidden = !words.every((word) => name.includes(word));
    found += !row.hidden;
  }
  const none = element.querySelector(".board-none");
  if (none) none.hidden = found > 0;
}

// All that the table knows of a model, also the columns that a phone has no room for.
function openCard(row) {
  const card = element.querySelector("dialog");
  const heads = [...element.querySelectorAll("thead th")];
  card.querySelector("h3").textContent = row.cells[1].dataset.by;
  const facts = heads.flatMap((head, at) => {
    if (head.dataset.key === "contender") return [];
    const name = document.createElement("dt");
    const value = document.createElement("dd");
    name.textContent = head.textContent;
    value.textContent = (row.cells[at].querySelector("b") ?? row.cells[at]).textContent;
    return [name, value];
  });
  card.querySelector("dl").replaceChildren(...facts);
  card.showModal();
}

function drawn() {
  sort();
  find();
}

document.addEventListener("input", ({ target }) => target.id === "board-find" && find());

element.addEventListener("click", (event) => {
  const row = event.target.closest("tbody tr:not(.board-group)");
  if (row && !getSelection().toString()) openCard(row);
  const head = event.target.closest("thead th");
  if (!head) return;
  const numbers = !["contender", "rank", "rank_best"].includes(head.dataset.key);
  descending = head.dataset.key === key ? !descending : numbers;
  key = head.dataset.key;
  sort();
});

drawn();
watch("value", drawn);
