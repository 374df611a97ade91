// The list of workspaces: completion of the search, searches kept in this browser, ticked rows.
(() => {
  const KEPT = "prebuilds.searches";
  const MOST_SHOWN = 12;
  const MOST_KEPT = 12;
  const element = (id) => document.getElementById(id);

  // Completion: the word at the caret is a key, or the value of one.
  const completion = () => {
    const input = element("q");
    const list = element("q-words");
    let words = null;
    let asked = null;
    let chosen = -1;

    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-expanded", "false");

    const fetchWords = () => {
      asked ??= fetch(input.dataset.words, { headers: { Accept: "application/json" } })
        .then((answer) => (answer.ok ? answer.json() : {}))
        .catch(() => ({}))
        .then((found) => (words = found));
      return asked;
    };

    const wordAtCaret = () => {
      const end = input.selectionStart ?? input.value.length;
      const before = input.value.slice(0, end);
      const start = before.match(/(?:[\w-]+:)?(?:"[^"]*|[^\s"]*)$/)?.index ?? end;
      return { start, end, text: before.slice(start) };
    };

    const offers = (text) => {
      const minus = text.startsWith("-") ? "-" : "";
      const colon = text.indexOf(":");
      const begins = (part) => (word) => word.toLowerCase().startsWith(part.toLowerCase());
      if (colon < 0) return Object.keys(words).map((key) => `${minus}${key}:`).filter(begins(text));
      const key = text.slice(minus.length, colon).toLowerCase();
      const part = text.slice(colon + 1).replace(/^"/, "");
      const values = (words[key] ?? []).filter((value) => value.toLowerCase() !== part.toLowerCase());
      const first = values.filter(begins(part));
      const inside = values.filter((value) => !first.includes(value) && value.toLowerCase().includes(part.toLowerCase()));
      return [...first, ...inside].map((value) => (/\s/.test(value) ? `${minus}${key}:"${value}"` : `${minus}${key}:${value}`));
    };

    const close = () => {
      list.hidden = true;
      list.replaceChildren();
      chosen = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };

    const choose = (index) => {
      const options = [...list.children];
      chosen = (index + options.length) % options.length;
      options.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
      options[chosen].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", options[chosen].id);
    };

    const accept = (text) => {
      const { start, end } = wordAtCaret();
      const isKey = text.endsWith(":");
      const after = input.value.slice(end).replace(/^\s+/, "");
      const put = input.value.slice(0, start) + text + (isKey ? "" : " ");
      input.value = put + after;
      input.setSelectionRange(put.length, put.length);
      input.focus();
      if (isKey) show();
      else close();
    };

    const show = async () => {
      await fetchWords();
      if (document.activeElement !== input) return;
      const found = offers(wordAtCaret().text).slice(0, MOST_SHOWN);
      if (!found.length) return close();
      chosen = -1;
      input.removeAttribute("aria-activedescendant");
      list.replaceChildren(
        ...found.map((text, at) => {
          const option = document.createElement("li");
          option.id = `q-word-${at}`;
          option.setAttribute("role", "option");
          option.setAttribute("aria-selected", "false");
          option.textContent = text;
          option.addEventListener("mousedown", (event) => {
            event.preventDefault();
            accept(text);
          });
          return option;
        }),
      );
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
    };

    input.addEventListener("input", show);
    input.addEventListener("click", show);
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" && list.hidden) return void show();
      if (list.hidden) return;
      if (event.key === "ArrowDown") choose(chosen + 1);
      else if (event.key === "ArrowUp") choose(chosen < 0 ? -1 : chosen - 1);
      else if (event.key === "Enter" && chosen >= 0) accept(list.children[chosen].textContent);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    });
  };

  // Searches kept in this browser, beside the common ones.
  const kept = () => {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
      return Array.isArray(found) ? found.filter((text) => typeof text === "string") : [];
    } catch {
      return [];
    }
  };

  const keep = (texts) => {
    try {
      localStorage.setItem(KEPT, JSON.stringify(texts.slice(-MOST_KEPT)));
    } catch {
      // No storage: the search is kept until the page is left.
    }
  };

  const searches = () => {
    const nav = element("searches");
    const save = element("save-search");
    const current = element("q").defaultValue.trim();
    const common = [...nav.querySelectorAll(":scope > a")].map((chip) => new URL(chip.href).searchParams.get("q"));

    const draw = () => {
      for (const old of nav.querySelectorAll(".chip-pair")) old.remove();
      for (const text of kept()) {
        const pair = element("saved-chip").content.firstElementChild.cloneNode(true);
        const [link, remove] = [pair.querySelector("a"), pair.querySelector("button")];
        link.textContent = text;
        link.href = `?q=${encodeURIComponent(text)}`;
        if (text === current) link.classList.add("chip-chosen", "tone-busy");
        remove.setAttribute("aria-label", `Forget the search ${text}`);
        remove.addEventListener("click", () => {
          keep(kept().filter((other) => other !== text));
          draw();
        });
        nav.append(pair);
      }
      save.hidden = !current || common.includes(current) || kept().includes(current);
    };

    save.addEventListener("click", () => {
      keep([...kept(), current]);
      draw();
    });
    draw();
  };

  // Ticked rows: their number beside the buttons; "all that match" makes single ticks idle.
  const ticks = () => {
    const boxes = () => [...document.querySelectorAll('input[name="workspace"]')];
    const all = element("tick-all");
    const ticked = new Set();
    // A refreshed list may bring a row as a new element: what was ticked is ticked again.
    const restore = () => {
      for (const box of boxes()) box.checked = ticked.has(box.value);
      say();
    };
    const remember = () => {
      ticked.clear();
      for (const box of boxes()) if (box.checked) ticked.add(box.value);
      say();
    };
    const say = () => {
      const number = boxes().filter((box) => box.checked).length;
      for (const box of boxes()) box.disabled = all.checked;
      element("ticked").textContent = all.checked ? "will be listed first" : number ? `or the ${number} ticked:` : "or tick some:";
    };
    document.addEventListener("change", (event) => {
      if (event.target.matches('input[name="workspace"], #tick-all')) remember();
    });
    document.addEventListener("htmx:after:swap", restore);
    window.addEventListener("pageshow", remember);
  };

  document.addEventListener("DOMContentLoaded", () => {
    completion();
    searches();
    ticks();
  });
})();
