// The table of pools: the URL follows the search, and menus close as people expect.
(() => {
  const followSearch = () => {
    const query = document.getElementById("pools")?.dataset.query ?? "";
    const wanted = `${location.pathname}${query ? `?${query}` : ""}`;
    if (wanted !== `${location.pathname}${location.search}`) history.replaceState(null, "", wanted);
  };
  document.addEventListener("htmx:after:swap", followSearch);

  const closeOthers = (kept) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== kept) menu.open = false;
    }
  };
  document.addEventListener("click", (event) => {
    closeOthers(event.target.closest?.(".menu-list") ? null : event.target.closest?.("details.menu"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest?.("details.menu[open]");
    closeOthers(null);
    menu?.querySelector("summary").focus();
  });
})();
