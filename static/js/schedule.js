// Days and hours beside the text of a schedule row. They write the text; what a text says, the
// server tells with each preview, so the grammar is known in one place. The text is the truth.
(() => {
  const WEEK = [1, 2, 3, 4, 5, 6, 0];
  const LAST_HOUR = 23;

  const rowsOf = () => [...document.querySelectorAll("#schedule-rows [data-schedule-row]")];
  const textOf = (row) => row.querySelector("[name=schedule_expression]");
  const numberOf = (row) => row.querySelector("[name=schedule_instances]");
  const daysOf = (row) => [...row.querySelectorAll("[data-day]")];
  const normal = (text) => text.trim().split(/\s+/).join(" ");

  // "1-5", "0,6", "*": runs as cron counts, from Sunday.
  const writeDays = (days) => {
    if (days.length === 0 || days.length === WEEK.length) return "*";
    const runs = [];
    for (const day of [...days].sort()) {
      const run = runs.at(-1);
      if (run && run.at(-1) === day - 1) run.push(day);
      else runs.push([day]);
    }
    return runs
      .map((run) => (run.length < 3 ? run.join(",") : `${run[0]}-${run.at(-1)}`))
      .join(",");
  };

  const span = (first, last) => (first === last ? `${first}` : `${first}-${last}`);

  const writeHours = (first, last) => {
    if ((last + 1) % (LAST_HOUR + 1) === first) return "*";
    if (first <= last) return span(first, last);
    return `${span(first, LAST_HOUR)},${span(0, last)}`;
  };

  const hour = (select, otherwise) => (select.value === "" ? otherwise : Number(select.value));

  const write = (row) => {
    const days = daysOf(row)
      .filter((box) => box.checked)
      .map((box) => Number(box.value));
    const first = hour(row.querySelector("[data-first]"), 0);
    const last = hour(row.querySelector("[data-last]"), LAST_HOUR);
    textOf(row).value = `* ${writeHours(first, last)} * * ${writeDays(days)}`;
    textOf(row).dispatchEvent(new Event("input", { bubbles: true }));
  };

  const choose = (row, days) => {
    for (const box of daysOf(row)) box.checked = days.includes(Number(box.value));
  };

  const show = (row, said) => {
    const words = row.querySelector("[data-row-words]");
    if (words.textContent !== said.words) words.textContent = said.words;
    choose(row, said.days ?? []);
    row.querySelector("[data-first]").value = said.first ?? "";
    row.querySelector("[data-last]").value = said.last ?? "";
    row.querySelector("[data-custom]").hidden = Boolean(said.days) || !said.words;
  };

  const NOTHING = { words: "", days: null, first: null, last: null };

  // An answer to what was typed earlier says nothing of a row that has changed since.
  const showAll = () => {
    const source = document.getElementById("preview-rows");
    if (!source) return;
    const answers = new Map(
      JSON.parse(source.textContent).map((one) => [`${one.expression}|${one.number}`, one]),
    );
    for (const row of rowsOf()) {
      const text = normal(textOf(row).value);
      const number = numberOf(row).value.trim();
      const said = text || number ? answers.get(`${text}|${number}`) : NOTHING;
      if (said) show(row, said);
    }
  };

  const onClick = (event) => {
    const button = event.target.closest("[data-days]");
    if (!button) return;
    const row = button.closest("[data-schedule-row]");
    choose(row, button.dataset.days.split(" ").map(Number));
    write(row);
  };

  const onChange = (event) => {
    const row = event.target.closest("[data-schedule-row]");
    if (!event.target.closest("[data-picker]")) return;
    const isLastDay = event.target.matches("[data-day]") && !daysOf(row).some((box) => box.checked);
    if (isLastDay) event.target.checked = true;
    else write(row);
  };

  const revealPickers = (place) => {
    for (const picker of place.querySelectorAll("[data-picker]")) picker.hidden = false;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const rows = document.getElementById("schedule-rows");
    revealPickers(rows);
    revealPickers(document.getElementById("new-row").content);
    rows.addEventListener("click", onClick);
    rows.addEventListener("change", onChange);
    document.addEventListener("htmx:after:swap", showAll);
    showAll();
  });
})();
