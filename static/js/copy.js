// A button that copies what an input holds: <button data-copy="#id">, and says so on itself.
(() => {
  const SAID_MS = 3000;

  const copy = async (source) => {
    try {
      await navigator.clipboard.writeText(source.value);
    } catch {
      // No clipboard without HTTPS: leave it selected, one key away from being copied.
      source.focus();
      source.select();
      return document.execCommand("copy");
    }
    return true;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    const source = button && document.querySelector(button.dataset.copy);
    if (!source) return;
    const word = button.querySelector("[data-copy-word]");
    const before = word.textContent;
    const said = (await copy(source)) ? button.dataset.copied : "Press Ctrl-C";
    word.textContent = said;
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = said;
    setTimeout(() => (word.textContent = before), SAID_MS);
  });
})();
