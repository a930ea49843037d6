// Shows what is otherwise by now. Every page works without it.
"use strict";
(() => {
  const main = document.getElementById("main"), link = document.getElementById("link");
  const topic = document.body.dataset.topic;
  const rows = document.getElementById("live"), delays = document.getElementById("delays");
  const pause = document.getElementById("pause");
  let source = null, typing = false, busy = false, again = false, held = [], pressed = false, sent = null;

  const say = (word, tone) => { link.textContent = word; link.className = "link " + tone; };

  // Loads the page anew and puts what differs in place; what is open stays open, what is typed stays.
  const renew = async () => {
    // What is taken away under a finger is never clicked.
    if (busy || pressed) { again = true; return; }
    if (typing) { news(); return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main");
      if (pressed) again = true;
      else if (answer.ok && fresh && !typing) put(fresh);
    } catch { /* The stream says that nobody answers. */ }
    busy = false;
    once_more();
  };
  const once_more = () => { if (again && !pressed) { again = false; renew(); } };

  const put = (fresh) => {
    const open = [...main.querySelectorAll("details[open][id]")].map((one) => one.id);
    for (const id of open) { const one = fresh.querySelector("#" + CSS.escape(id)); if (one) one.open = true; }
    if (fresh.innerHTML === main.innerHTML) return;
    const focus = document.activeElement, id = focus && main.contains(focus) ? focus.id : "";
    const href = focus && main.contains(focus) && focus.getAttribute("href");
    main.replaceChildren(...fresh.childNodes);
    const back = id ? document.getElementById(id) : href && main.querySelector(`a[href="${CSS.escape(href)}"]`);
    if (back) back.focus({ preventScroll: true });
  };

  const news = () => {
    if (document.getElementById("news")) return;
    const note = document.createElement("p");
    note.id = "news"; note.className = "notice"; note.setAttribute("role", "status");
    note.textContent = "This was changed meanwhile: save, or load the page again, to see it.";
    main.prepend(note);
  };

  const add = (html) => {
    document.getElementById("none")?.remove();
    rows.insertAdjacentHTML("afterbegin", html);
    while (rows.rows.length > Number(rows.dataset.most)) rows.deleteRow(-1);
  };

  const watch = () => {
    if (source || !topic) return;
    source = new EventSource("/events?of=" + encodeURIComponent(topic));
    source.addEventListener("link", (e) => say(e.data, e.data === "live" ? "good" : "warn"));
    source.addEventListener("changed", renew);
    source.addEventListener("row", (e) => { if (pause.checked) held.push(e.data); else add(e.data); });
    source.addEventListener("delays", (e) => { delays.innerHTML = e.data; });
    source.onerror = () => {
      const shut = source.readyState === EventSource.CLOSED;
      say(shut ? "not live: load the page again" : "cocli web does not answer", "bad");
    };
  };
  const rest = () => { source?.close(); source = null; };

  document.addEventListener("input", (e) => { if (e.target.closest("#main form")) typing = true; });
  document.addEventListener("toggle", () => {
    if (!main.querySelector("form input:focus, form textarea:focus")) typing = false;
  }, true);
  document.addEventListener("pointerdown", (e) => { pressed = e.button === 0; });
  // A click comes after both.
  for (const up of ["pointerup", "pointercancel"])
    document.addEventListener(up, () => setTimeout(() => { pressed = false; once_more(); }));
  // Who clicks twice means it once.
  document.addEventListener("submit", (e) => {
    if (e.target.method !== "post") return;
    if (sent === e.target) e.preventDefault();
    sent = e.target;
    setTimeout(() => { sent = null; }, 3000);
  });
  // Who does not look takes none of the few connections that a browser has for a site.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { rest(); } else { watch(); if (rows) location.reload(); else if (topic) renew(); }
  });
  addEventListener("pagehide", rest);
  addEventListener("pageshow", () => { sent = null; watch(); });
  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && !e.target.closest("input, textarea, select")) { e.preventDefault(); document.getElementById("q").focus(); }
  });
  if (pause) {
    pause.closest("label").hidden = false;
    pause.addEventListener("change", () => { if (!pause.checked) { held.forEach(add); held = []; } });
  }
  watch();
})();
