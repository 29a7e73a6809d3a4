// A click on the head of a column sorts its table: numbers by value, empty cells last.

const collator = new Intl.Collator("en", { numeric: true });

function value(row, column) {
  return row.cells[column].textContent.trim();
}

function compare(a, b) {
  const numbers = [a, b].map((text) => parseFloat(text.replaceAll(",", "")));
  return numbers.some(Number.isNaN) ? collator.compare(a, b) : numbers[0] - numbers[1];
}

function sort(table, head) {
  const column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    if (!x || !y) return Boolean(y) - Boolean(x) || 0;
    return down ? compare(y, x) : compare(x, y);
  });
  body.append(...rows);
}

for (const table of document.querySelectorAll(".sortable + .md-typeset__scrollwrap table, .sortable table")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head));
    head.append(button);
  }
}
