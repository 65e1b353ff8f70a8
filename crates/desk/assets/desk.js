// Comfort on top of pages that work without it: keys, the card watcher, the live meter, the busy
// button, the timer of a result, the refresh of the map. It decides nothing and keeps nothing.
"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const CARD_MS = 500, METER_MS = 180;

  // HTML comes back as a parsed document: no string ever becomes markup here (Trusted Types).
  const load = (method, url, body) => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.responseType = "document";
    request.timeout = 5000;
    if (body) request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    request.onloadend = () => done(request.status === 200 ? request.response : null);
    request.send(body);
  });

  const blank = (target) => {
    document.body.replaceChildren();
    location.replace(target);
  };

  // A page from the back/forward cache may show what has been hidden meanwhile.
  addEventListener("pageshow", (event) => { if (event.persisted) blank(location.href); });

  // Keys
  const SUBMITS = 'button[type="submit"]';
  const usable = (field) => !field.disabled && field.offsetParent !== null;
  const next = (form, from) => {
    const fields = all("input:not([type=hidden]):not([type=radio]):not([type=checkbox]), select", form)
      .filter(usable);
    return fields[fields.indexOf(from) + 1];
  };
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (/^F\d+$/.test(event.key)) {
      const target = one(`[data-key="${event.key}"]`);
      const code = event.key === "F6" && one("[data-code]");
      if (!target && !code) return;
      event.preventDefault();
      if (event.repeat) return;
      if (code) { code.open = !code.open; one("summary", code).focus(); } else target.click();
    } else if (event.key === "Escape") {
      const back = one('[data-key="F3"]');
      if (back) { event.preventDefault(); back.click(); }
    } else if (event.key === "Enter" && event.target.matches("input, select")) {
      const form = event.target.form;
      if (!form) return;
      event.preventDefault();
      const field = next(form, event.target);
      if (field) field.focus();
      else (one('[data-key="F9"]') || one(SUBMITS, form)).click();
    }
  });

  // A form goes once: its buttons rest until the answer replaces the page.
  let sent = false;
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    sent = true;
    setTimeout(() => {
      for (const button of all(`${SUBMITS}`)) if (button.form === form) {
        button.disabled = true;
        if (button === event.submitter) button.setAttribute("aria-busy", "true");
      }
    });
  });

  // Card watcher: card out = blank, within a second.
  const login = one("[data-card]");
  const session = document.body.dataset.watch === "session";
  const watch = async () => {
    let status = 0;
    try { status = (await fetch("/card", { cache: "no-store" })).status; } catch { status = 0; }
    // A form on its way gets the server's answer; a second request would only cut it off.
    if (session && status !== 204) return sent ? document.body.replaceChildren() : blank("/");
    if (login && (status === 204 ? "in" : "out") !== login.dataset.card) return location.replace("/");
    setTimeout(watch, CARD_MS);
  };
  if (session || login) setTimeout(watch, CARD_MS);

  // Live meter: the server measures, this only asks.
  const form = one("form[data-meter]");
  if (form) {
    let timer = 0, asked = 0, composing = false;
    const measure = async () => {
      const turn = ++asked;
      const page = await load("POST", form.dataset.meter, new URLSearchParams(new FormData(form)).toString());
      const fresh = page && one("#jk-meter", page), old = one("#jk-meter");
      if (turn === asked && fresh && old) old.replaceWith(document.adoptNode(fresh));
    };
    const later = () => {
      if (composing) return;
      clearTimeout(timer);
      timer = setTimeout(measure, METER_MS);
    };
    form.addEventListener("compositionstart", () => { composing = true; });
    form.addEventListener("compositionend", () => { composing = false; later(); });
    form.addEventListener("input", (event) => { if (!event.isComposing) later(); });
    form.addEventListener("change", later);
  }

  // Values leave the screen when their time is over; the server renders the rest.
  const held = one("[data-hide-ms]");
  if (held) setTimeout(() => { held.replaceChildren(); location.reload(); }, Number(held.dataset.hideMs));

  // Map
  const refresh = async () => {
    const live = one("#jk-live[data-refresh-ms]");
    if (!live) return;
    const page = await load("GET", location.href);
    const fresh = page && one("#jk-live", page);
    if (fresh) {
      const open = all("details", live).map((details) => details.open);
      all("details", fresh).forEach((details, at) => { details.open = open[at] || false; });
      const focused = all("summary", live).indexOf(document.activeElement);
      live.replaceWith(document.adoptNode(fresh));
      if (focused >= 0) all("summary", fresh)[focused]?.focus();
    }
    setTimeout(refresh, Number(live.dataset.refreshMs));
  };
  const live = one("#jk-live[data-refresh-ms]");
  if (live) setTimeout(refresh, Number(live.dataset.refreshMs));
})();
