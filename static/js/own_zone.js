// Offer the reader's own time zone where none is set yet: <input data-own-zone>.
(() => {
  const fill = () => {
    for (const input of document.querySelectorAll("[data-own-zone]")) {
      if (!input.value) input.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
    }
  };
  document.addEventListener("DOMContentLoaded", fill);
  document.addEventListener("htmx:after:swap", fill);
})();
