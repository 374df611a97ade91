// Ctrl-K or / opens the palette, ? shows the keys, g p / g w / c lead to the daily pages.
(() => {
  const WAIT_MS = 120;
  const LETTER_MS = 1000;
  const element = (id) => document.getElementById(id);
  const places = () => [...document.querySelectorAll("#palette-places [role=option]")];
  let timer = 0;
  let asked = 0;
  let first = "";
  let firstAt = 0;

  const select = (index) => {
    const all = places();
    if (!all.length) return element("palette-text").removeAttribute("aria-activedescendant");
    const chosen = (index + all.length) % all.length;
    all.forEach((one, number) => one.setAttribute("aria-selected", String(number === chosen)));
    all[chosen].scrollIntoView({ block: "nearest" });
    element("palette-text").setAttribute("aria-activedescendant", all[chosen].id);
  };

  const selected = () => places().findIndex((one) => one.getAttribute("aria-selected") === "true");

  const find = async () => {
    const number = ++asked;
    const text = element("palette-text").value;
    const url = `${element("palette").dataset.places}?q=${encodeURIComponent(text)}`;
    try {
      const response = await fetch(url, { headers: { "HX-Request": "true" } });
      if (number !== asked) return; // a later letter was quicker
      if (!response.ok) throw new Error(String(response.status));
      element("palette-places").innerHTML = await response.text();
      select(0);
    } catch {
      if (number === asked) element("palette-places").textContent = "The server does not answer.";
    }
  };

  const open = () => {
    const dialog = element("palette");
    if (!dialog || dialog.open) return;
    element("palette-text").value = "";
    dialog.showModal();
    element("palette-text").focus();
    find();
  };

  const isTyping = (target) =>
    target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName ?? "");

  const goTo = (name) => {
    const url = document.body.dataset[name];
    if (url) window.location.assign(url);
  };

  const onLetter = (event) => {
    const sequence = Date.now() - firstAt < LETTER_MS ? first + event.key : event.key;
    first = event.key;
    firstAt = Date.now();
    if (event.key === "/") open();
    else if (event.key === "?") element("keys")?.showModal();
    else if (sequence === "gp") goTo("pools");
    else if (sequence === "gw") goTo("workspaces");
    else if (event.key === "c") goTo("create");
    else return;
    event.preventDefault();
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return open();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open], .modal.show")) return;
    onLetter(event);
  });

  document.addEventListener("input", (event) => {
    if (event.target.id !== "palette-text") return;
    clearTimeout(timer);
    timer = setTimeout(find, WAIT_MS);
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "palette-text") return;
    if (event.key === "ArrowDown") select(selected() + 1);
    else if (event.key === "ArrowUp") select(selected() - 1);
    else if (event.key === "Enter") places()[selected()]?.querySelector("a").click();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-open-palette]")) return open();
    if (event.target.closest?.("[data-open-keys]")) return element("keys").showModal();
    if (event.target.closest?.("[data-close-keys]")) return element("keys").close();
    if (event.target === element("palette")) element("palette").close();
    else if (event.target === element("keys")) element("keys").close();
  });
})();
