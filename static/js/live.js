// Keep a page's live block fresh. The stream only says *that* the block is stale; htmx fetches and
// morphs it. EventSource instead of htmx's own stream, because a page must see a silent connection
// die, say since when it is stale, and poll with a growing delay until the stream is back.
(() => {
  const SILENCE_MS = 40000; // the server pings every 15 s
  const EVEN_IF_QUIET_MS = 60000; // states that change by the clock alone
  const FIRST_DELAY_MS = 1000;
  const LONGEST_DELAY_MS = 60000;

  let url = "";
  let source = null;
  let heardAt = 0;
  let freshAt = Date.now();
  let lost = false;
  let delay = FIRST_DELAY_MS;
  let waiting = FIRST_DELAY_MS;
  let retryTimer = 0;
  let unavailable = false;

  const element = (id) => document.getElementById(id);

  const refresh = () => document.body.dispatchEvent(new CustomEvent("live-refresh"));

  const quietFor = () => {
    const every = document.querySelector("[data-live-block][data-every]")?.dataset.every;
    return every ? Number(every) * 1000 : EVEN_IF_QUIET_MS;
  };

  const showBanner = () => {
    const since = window.prebuildsTimes.clock(new Date(freshAt));
    const wait = Math.max(1, Math.round(waiting / 1000));
    element("stale-text").textContent =
      `Not live: stale since ${since}. Trying again every ${wait} s.`;
    element("stale-banner").hidden = false;
    document.body.classList.add("is-stale");
  };

  const hideBanner = () => {
    element("stale-banner").hidden = true;
    document.body.classList.remove("is-stale");
  };

  const disconnect = () => {
    source?.close();
    source = null;
    clearTimeout(retryTimer);
    retryTimer = 0;
  };

  const connect = () => {
    disconnect();
    const opened = (source = new EventSource(url));
    heardAt = Date.now();
    const heard = (action) => (event) => {
      if (source !== opened) return;
      heardAt = Date.now();
      action(event);
    };
    opened.addEventListener("hello", heard(onHello));
    opened.addEventListener("ping", heard(() => {}));
    opened.addEventListener("stale", heard(refresh));
    opened.addEventListener("bye", heard(connect));
    opened.onerror = () => source === opened && onLost();
  };

  // Whatever happened before the stream opened was not heard, so every start looks once.
  const onHello = () => {
    lost = false;
    delay = FIRST_DELAY_MS;
    if (!unavailable) hideBanner();
    refresh();
  };

  const onLost = () => {
    disconnect();
    if (document.hidden) return;
    lost = true;
    waiting = delay;
    showBanner();
    retryTimer = setTimeout(() => {
      refresh();
      connect();
    }, delay * (0.8 + Math.random() * 0.4));
    delay = Math.min(delay * 2, LONGEST_DELAY_MS);
  };

  const onFresh = () => {
    freshAt = Date.now();
    unavailable = false;
    if (!lost) hideBanner();
    else showBanner();
  };

  const onFailedFetch = () => {
    unavailable = true;
    showBanner();
    if (!lost) onLost();
  };

  const isLive = (event) => event.target instanceof Element && event.target.closest("[data-live-block]");

  // htmx says "swapped" of an error answer too, of which it shows nothing (head.html: noSwap).
  const isAnswer = (event) => !(event.detail?.ctx?.response?.status >= 400);

  const start = () => {
    url = document.body.dataset.live;
    if (!url) return;
    connect();
    document.addEventListener("htmx:after:swap", (event) => isLive(event) && isAnswer(event) && onFresh());
    document.addEventListener("htmx:error", (event) => isLive(event) && onFailedFetch());
    document.addEventListener("htmx:response:error", (event) => isLive(event) && onFailedFetch());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return disconnect();
      delay = FIRST_DELAY_MS;
      connect();
    });
    window.addEventListener("pagehide", disconnect);
    window.addEventListener("pageshow", (event) => event.persisted && connect());
    element("stale-retry").addEventListener("click", () => {
      delay = FIRST_DELAY_MS;
      refresh();
      connect();
    });
    setInterval(() => {
      if (document.hidden || !source) return;
      if (Date.now() - heardAt > SILENCE_MS) onLost();
      else if (Date.now() - freshAt >= quietFor()) refresh();
    }, 1000);
  };

  document.addEventListener("DOMContentLoaded", start);
})();
