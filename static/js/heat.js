// The heat-map of a week: what an hour says is read out below it, by pointer or by arrow keys.
(() => {
  const cellsOf = (table) => [...table.querySelectorAll(".heat-cell")];

  const say = (cell) => {
    const readout = cell.closest("[data-heat]")?.parentElement.querySelector("[data-heat-readout]");
    if (readout) readout.textContent = cell.title;
  };

  // One stop of the tab key for the whole table; arrows move inside.
  const prepare = () => {
    for (const table of document.querySelectorAll("[data-heat]")) {
      if (table.querySelector("[tabindex]")) continue;
      const first = table.querySelector(".heat-now") || cellsOf(table)[0];
      for (const cell of cellsOf(table)) {
        cell.tabIndex = cell === first ? 0 : -1;
        cell.setAttribute("aria-label", cell.title);
      }
    }
  };

  const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

  const neighbour = (cell, [down, right]) => {
    const rows = [...cell.closest("tbody").rows];
    const row = rows[rows.indexOf(cell.parentElement) + down];
    const next = row?.cells[cell.cellIndex + right];
    return next?.matches(".heat-cell") ? next : null;
  };

  document.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.("[data-heat] .heat-cell");
    const next = cell && STEPS[event.key] && neighbour(cell, STEPS[event.key]);
    if (!next) return;
    event.preventDefault();
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const cell = event.target.closest?.("[data-heat] .heat-cell");
      if (cell) say(cell);
    });
  }

  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:after:swap", prepare);
})();
