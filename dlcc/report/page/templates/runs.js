// The table of runs sorts by a column and shows the runs of a state, or whose text has a word.
"use strict";
(() => {
  const table = document.getElementById("run-table"), body = table.tBodies[0];
  const cell = (row, column) => {
    const found = row.cells[column], number = parseFloat(found.dataset.value ?? found.textContent.replaceAll(",", ""));
    return Number.isNaN(number) ? found.textContent.trim().toLowerCase() : number;
  };
  const compared = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => (down ? -1 : 1) * compared(cell(a, column), cell(b, column)));
      body.append(...rows);
    });
  });
  const place = document.getElementById("filters"), states = new Set([...body.rows].map((row) => row.dataset.state));
  const word = document.createElement("input"), state = document.createElement("select");
  word.type = "search";
  word.placeholder = "filter runs";
  word.setAttribute("aria-label", "Show runs whose row has this text");
  state.setAttribute("aria-label", "Show runs of a state");
  for (const name of ["all states", ...states]) state.append(new Option(name, name));
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  const show = () => {
    let shown = 0;
    for (const row of body.rows) {
      const fits = (state.selectedIndex === 0 || row.dataset.state === state.value) && row.textContent.toLowerCase().includes(word.value.toLowerCase());
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = ` ${shown} of ${body.rows.length} runs`;
  };
  word.addEventListener("input", show);
  state.addEventListener("change", show);
  place.append(word, " ", state, count);
  show();
})();
