// Small habits of every page: closing messages, announcing a changed verdict, forms sent once.
(() => {
  const SUCCESS_STAYS_MS = 12000;

  document.addEventListener("click", (event) => {
    event.target.closest?.("[data-dismiss-toast]")?.closest(".toast")?.remove();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-send-once]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    form.querySelector("[type=submit]")?.classList.add("btn-loading");
  });

  // A plan arrives in the dialog: it opens then, and gives the focus back when it closes.
  const dialog = () => document.getElementById("dialog");
  document.addEventListener("htmx:after:swap", () => {
    const shown = dialog();
    if (shown && shown.childElementCount && !shown.open) shown.showModal();
  });
  document.addEventListener("click", (event) => {
    const shown = dialog();
    if (!shown?.open) return;
    if (event.target === shown || event.target.closest?.("[data-close-dialog]")) shown.close();
  });
  document.addEventListener(
    "close",
    (event) => {
      if (event.target === dialog()) event.target.replaceChildren();
    },
    true,
  );

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  // A page taken from the back-forward cache may be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sent]")) {
      delete form.dataset.sent;
      form.querySelector("[type=submit]")?.classList.remove("btn-loading");
    }
  });

  // Screen readers hear the sentence on top when it changes, and nothing else of a live block.
  const spoken = () => document.querySelector("[data-announce]")?.textContent.trim() ?? "";
  let last = "";
  document.addEventListener("htmx:after:swap", () => {
    const announcer = document.getElementById("announcer");
    if (announcer && spoken() !== last) announcer.textContent = last = spoken();
  });

  const keepLogsAtTheirEnd = () => {
    for (const log of document.querySelectorAll("[data-log]")) {
      if (log.dataset.read !== "yes") log.scrollTop = log.scrollHeight;
    }
  };
  document.addEventListener(
    "scroll",
    (event) => {
      const log = event.target;
      if (!log.matches?.("[data-log]")) return;
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
      log.dataset.read = atEnd ? "no" : "yes";
    },
    true,
  );
  document.addEventListener("htmx:after:swap", keepLogsAtTheirEnd);

  document.addEventListener("DOMContentLoaded", () => {
    last = spoken();
    keepLogsAtTheirEnd();
    setTimeout(() => {
      for (const toast of document.querySelectorAll('.toast[data-level="success"]')) toast.remove();
    }, SUCCESS_STAYS_MS);
    document.querySelector("[data-focus-first]")?.focus();
  });
})();
