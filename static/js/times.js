// Show instants in the reader's zone, with the exact instant on hover.
// The server writes <time datetime="…" data-time="clock|date|relative">; a stale text is never kept.
(() => {
  const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
  const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

  const span = (milliseconds) => {
    const total = Math.round(milliseconds / 1000);
    if (total < 60) return `${total} s`;
    const minutes = Math.floor(total / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    if (hours < 48 && hours > 24) return `1 d ${hours - 24} h`;
    return `${Math.floor(hours / 24)} d`;
  };

  const relative = (at) => {
    const distance = at - Date.now();
    if (Math.abs(distance) < 5000) return "just now";
    return distance > 0 ? `in ${span(distance)}` : `${span(-distance)} ago`;
  };

  const isToday = (at) => at.toDateString() === new Date().toDateString();
  const say = {
    seconds: (at) => (isToday(at) ? seconds : day).format(at),
    date: (at) => day.format(at),
    relative,
    clock: (at) => (isToday(at) ? clock : day).format(at),
  };

  const show = (scope) => {
    for (const element of scope.querySelectorAll("time[data-time]")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const text = (say[element.dataset.time] || say.clock)(at);
      if (element.textContent !== text) element.textContent = text;
      element.title = exact.format(at);
    }
  };

  document.addEventListener("DOMContentLoaded", () => show(document));
  document.addEventListener("htmx:after:swap", () => show(document));
  setInterval(() => document.hidden || show(document), 5000);
  window.prebuildsTimes = { show, clock: (at) => seconds.format(at) };
})();
