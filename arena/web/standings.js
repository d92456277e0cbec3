// The table of standings sorts by its headings, and stays sorted when it is drawn anew. Runs inside
// its component, which lends `element` and `watch`.

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

element.addEventListener("click", (event) => {
  const head = event.target.closest("thead th");
  if (!head) return;
  const numbers = !["contender", "rank", "rank_best"].includes(head.dataset.key);
  descending = head.dataset.key === key ? !descending : numbers;
  key = head.dataset.key;
  sort();
});

sort();
watch("value", sort);
