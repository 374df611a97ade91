// The form of a preset: rows come and go in place, and what it would bring is shown as one types.
// The form itself is never swapped, so nothing typed is lost; only texts of errors are put into it.
(() => {
  const QUIET_MS = 350;
  const PREVIEW = "preview-form";

  const form = () => document.getElementById("edit-form");
  const rows = () => document.getElementById("schedule-rows");

  let timer = 0;
  const previewSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => form().dispatchEvent(new CustomEvent(PREVIEW)), QUIET_MS);
  };

  const addRow = () => {
    rows().append(document.getElementById("new-row").content.cloneNode(true));
    rows().lastElementChild.querySelector("input").focus();
  };

  const removeRow = (row) => {
    const next = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    (next?.querySelector("input") || document.getElementById("add-row")).focus();
    previewSoon();
  };

  const isEmpty = (row) => [...row.querySelectorAll("input[name]")].every((input) => !input.value);

  // The rows that stand ready without a script are not needed with one.
  const removeSpareRows = () => {
    for (const row of [...rows().children]) if (isEmpty(row)) row.remove();
  };

  const showErrors = () => {
    const source = document.getElementById("preview-errors");
    if (!source) return;
    const errors = JSON.parse(source.textContent);
    for (const slot of form().querySelectorAll("[data-error-of]")) {
      const text = errors[slot.dataset.errorOf] ?? "";
      if (slot.textContent !== text) slot.textContent = text;
      slot.hidden = !text;
    }
    for (const input of form().querySelectorAll("[data-field]")) {
      const wrong = Boolean(errors[input.dataset.field]);
      input.classList.toggle("is-invalid", wrong);
      if (wrong) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  };

  const onTyped = (event) => {
    if (event.target.matches("[data-parameter-value]")) {
      event.target.closest("[data-parameter]").querySelector("[data-parameter-set]").checked = true;
    }
    previewSoon();
  };

  document.addEventListener("DOMContentLoaded", () => {
    const adder = document.getElementById("add-row");
    adder.hidden = false;
    removeSpareRows();
    adder.addEventListener("click", addRow);
    rows().addEventListener("click", (event) => {
      const button = event.target.closest("[data-remove-row]");
      if (button) removeRow(button.closest("[data-schedule-row]"));
    });
    form().addEventListener("input", onTyped);
    document.addEventListener("htmx:after:swap", showErrors);
  });
})();
