// The pool's hours as curves (uPlot). The page holds the numbers, and a table that says the same.
(() => {
  const HEIGHT = 260;
  const FLAG_ROOM = 28;
  const AN_HOUR_S = 3600;

  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  const instant = (seconds) => new Date(seconds * 1000);

  const sayTimes = (_, splits) =>
    splits.map((at) => (instant(at).getHours() ? clock : day).format(instant(at)));

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const steps = () => window.uPlot.paths.stepped({ align: 1 });

  const bars = (side) => window.uPlot.paths.bars({ size: [0.4, 8], align: side });

  // A curve of a point or two would not be seen as a line.
  const few = (values) => values.filter((value) => value !== null).length < 3;

  const series = (data) => [
    { label: "Time", value: (_, at) => (at === null ? "–" : exact.format(instant(at))) },
    { label: "Desired", stroke: colour("--bar-tick"), width: 2, dash: [6, 4], paths: steps(), points: { show: few(data.desired) } },
    { label: "Ready", stroke: colour("--bar-ready"), width: 2, paths: steps(), points: { show: few(data.ready) } },
    { label: "Claims", stroke: colour("--bar-starting"), fill: colour("--bar-starting"), paths: bars(-1), points: { show: false } },
    { label: "Misses", stroke: colour("--tone-bad"), fill: colour("--tone-bad"), paths: bars(1), points: { show: false } },
  ];

  const axes = () => {
    const look = { stroke: colour("--tone-off"), space: 70, grid: { stroke: colour("--bar-track"), width: 1 }, ticks: { stroke: colour("--bar-track") } };
    const whole = (_, splits) => splits.map((value) => (Number.isInteger(value) ? String(value) : ""));
    return [{ ...look, values: sayTimes }, { ...look, space: 30, size: 36, values: whole }];
  };

  // Vertical lines where somebody did something or something went wrong.
  const drawMarks = (marks) => (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--bar-expired");
    ctx.setLineDash([2, 3]);
    for (const mark of marks) {
      const x = Math.round(plot.valToPos(mark.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };

  // On top of each line stands a flag with the numbers of the list below: one for all that stand
  // too close. Pointed at or focused, it is read out; one stop of the tab key for all.
  const flagsOf = (plot, marks) => {
    const flags = [];
    for (const mark of [...marks].sort((one, other) => one.at - other.at)) {
      const x = plot.over.offsetLeft + plot.valToPos(mark.at, "x");
      const last = flags.at(-1);
      if (last && x - last.x < FLAG_ROOM) last.marks.push(mark);
      else flags.push({ x, marks: [mark] });
    }
    return flags;
  };

  const numbersOf = (marks) => {
    const [newest, oldest] = [marks.at(-1).number, marks[0].number];
    return newest === oldest ? `${newest}` : `${newest}–${oldest}`;
  };

  const say = (mark) => `${exact.format(instant(mark.at))}: ${mark.text}`;

  const readOut = (marks) => {
    const lines = marks.map((mark) => {
      const line = document.createElement("li");
      line.textContent = `${mark.number}. ${say(mark)}`;
      return line;
    });
    document.getElementById("timeline-readout").replaceChildren(...lines);
    const shown = marks.map((mark) => String(mark.number));
    for (const item of document.querySelectorAll("[data-mark]")) {
      item.classList.toggle("is-shown", shown.includes(item.dataset.mark));
    }
  };

  const flag = ({ x, marks }, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "timeline-flag";
    button.style.left = `${x}px`;
    button.tabIndex = index === 0 ? 0 : -1;
    button.textContent = numbersOf(marks);
    button.setAttribute("aria-label", marks.map(say).join("; "));
    for (const kind of ["pointerenter", "focus", "click"]) {
      button.addEventListener(kind, () => readOut(marks));
    }
    return button;
  };

  const placeFlags = (marks) => (plot) => {
    const place = document.getElementById("timeline-flags");
    const held = [...place.children].indexOf(document.activeElement);
    const flags = flagsOf(plot, marks).map(flag);
    place.replaceChildren(...flags);
    place.hidden = flags.length === 0;
    flags[Math.min(held, flags.length - 1)]?.focus();
  };

  const moveFlag = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step && (step > 0 ? event.target.nextElementSibling : event.target.previousElementSibling);
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };

  const draw = (place, data) => {
    place.replaceChildren();
    const options = {
      width: Math.max(place.clientWidth, 240),
      height: HEIGHT,
      scales: { x: { range: () => [data.at[0], data.at.at(-1) + AN_HOUR_S] }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
      padding: [30, null, null, null],
      series: series(data),
      axes: axes(),
      hooks: { draw: [drawMarks(data.marks)], ready: [placeFlags(data.marks)], setSize: [placeFlags(data.marks)] },
    };
    const columns = [data.at, data.desired, data.ready, data.claims, data.misses];
    return new window.uPlot(options, columns, place);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("timeline-chart");
    const source = document.getElementById("timeline-data");
    if (!place || !source || !window.uPlot) return;
    const data = JSON.parse(source.textContent);
    place.hidden = false;
    let plot = draw(place, data);
    document.getElementById("timeline-flags").addEventListener("keydown", moveFlag);
    new ResizeObserver(() => {
      if (place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: HEIGHT });
    }).observe(place);
    const redraw = () => {
      plot.destroy();
      plot = draw(place, data);
    };
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  });
})();
