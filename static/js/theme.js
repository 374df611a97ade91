// Set the colours before the first paint; loaded in the head, without defer, for that reason.
(() => {
  const KEY = "prebuilds-theme";
  const darkness = window.matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return localStorage.getItem(KEY) || "system";
    } catch {
      return "system"; // storage is off: follow the system
    }
  };

  const apply = () => {
    const choice = chosen();
    const dark = choice === "dark" || (choice === "system" && darkness.matches);
    document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === choice));
    }
  };

  darkness.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme]");
    if (!button) return;
    try {
      localStorage.setItem(KEY, button.dataset.theme);
    } catch {
      // storage is off: the choice cannot be kept
    }
    apply();
  });
  apply();
})();
