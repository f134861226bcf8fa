// The counter page: clocks, the check before "prepare", scanners, the signature, what a refresh must not lose.
// The server decides everything; this only keeps the hand of the nurse quick and safe.
"use strict";

(() => {
  const page = document.querySelector(".counter");
  if (!page) return;
  const person = () => document.getElementById("person");
  const offset = Number(page.dataset.now) - Date.now(); // the server's clock, not the tablet's
  const now = () => Date.now() + offset;

  // --- clocks and countdowns ---------------------------------------------------------------

  const clock = page.querySelector("[data-clock]");
  const seconds = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "second", unitDisplay: "short" });
  const tick = () => {
    if (clock) {
      clock.textContent = new Intl.DateTimeFormat("en-GB", {
        hour: "2-digit", minute: "2-digit", timeZone: page.dataset.tz || "Asia/Taipei",
      }).format(now());
    }
    page.querySelectorAll("[data-seconds]").forEach((el) => {
      el.textContent = seconds.format(Math.max(0, Math.floor((Number(el.dataset.seconds) - now()) / 1000)));
    });
    page.querySelectorAll("progress[data-until]").forEach((el) => {
      el.value = Math.max(0, (Number(el.dataset.until) - now()) / 1000);
    });
    page.querySelectorAll("[data-until-hide]").forEach((el) => {
      if (Number(el.dataset.untilHide) <= now()) el.classList.add("is-over"); // keeps its place, so that nothing jumps
    });
    page.querySelectorAll("[data-good-until]").forEach((el) => {
      if (Number(el.dataset.goodUntil) <= now()) el.setAttribute("aria-disabled", "true");
    });
  };
  setInterval(tick, 250);

  // --- before "prepare": the check is answered, and every question has a reason ------------------

  const firstMissing = () => {
    const form = document.getElementById("card-form");
    if (!form) return null;
    const check = document.getElementById("no-signs");
    if (check && !check.checked) return check;
    for (const box of form.querySelectorAll(".tier--reason .chips")) {
      if (!box.querySelector("input:checked")) return box.querySelector("input");
    }
    return document.getElementById("bottle-seen");
  };

  const gate = () => {
    const button = page.querySelector("[data-needs-check]");
    if (!button) return;
    const missing = firstMissing();
    button.setAttribute("aria-disabled", String(Boolean(missing)));
    const hint = document.getElementById("hint");
    if (hint) {
      const first = { "no-signs": button.dataset.firstCheck, "bottle-seen": button.dataset.firstBottle };
      const text = missing ? first[missing.id] || button.dataset.firstReason : "";
      if (hint.textContent !== text) hint.textContent = text;
    }
  };

  document.addEventListener("change", gate);
  document.addEventListener("ost:refused", (event) => {
    if (!event.detail.matches("[data-needs-check]")) return;
    const missing = firstMissing();
    if (missing) missing.focus();
  });

  // --- one request at a time, and no stale answer over a newer one ---------------------------------

  const field = document.getElementById("find-text");
  const tappedWay = document.getElementById("find-way"); // the way whose tile was tapped: not asked a second time
  let actions = 0;
  let flying = 0;
  let changedAt = 0;
  let failures = 0;
  const isPoll = (el) => el.id === "poll";
  // What refreshes itself (data-apart) and the practice reader (data-beside) are no step: nothing waits for them.
  const isApart = (el) => el.hasAttribute("data-apart") || el.hasAttribute("data-beside");

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isApart(event.detail.elt)) {
      if (event.detail.elt.tagName === "FORM") event.detail.elt.closest("dialog")?.close();
      return;
    }
    if (isPoll(event.detail.elt)) {
      // While a step is on its way the page asks nothing: it would be answered from before that step.
      if (flying) return event.preventDefault();
      event.detail.xhr.ostActions = actions;
      return;
    }
    if (flying) return event.preventDefault(); // a second click while the first is on its way
    flying = 1;
    actions += 1;
    event.detail.elt.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const el = event.detail.elt;
    if (isPoll(el) || isApart(el)) return;
    flying = 0;
    event.detail.elt.removeAttribute("aria-busy");
    tappedWay.value = "";
    if (event.detail.elt.id === "find" && event.detail.successful) field.value = "";
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const asked = event.detail.xhr.ostActions;
    if (asked !== undefined && (asked !== actions || flying)) {
      event.detail.shouldSwap = false;
      return;
    }
    if (!isApart(event.detail.elt)) remember();
  });

  const offline = document.getElementById("offline");
  const reached = () => { failures = 0; offline.hidden = true; };
  const lost = () => { failures += 1; if (failures > 1) offline.hidden = false; };
  // A line that died without a word: nothing fails, nothing is answered. A step on its way has its own time.
  const SILENT_MS = 5000;
  let answeredAt = Date.now();
  const answered = () => { answeredAt = Date.now(); };
  document.addEventListener("visibilitychange", answered); // a hidden page asks rarely
  setInterval(() => {
    if (flying || document.hidden) return answered();
    if (Date.now() - answeredAt > SILENT_MS) offline.hidden = false;
  }, 500);
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.xhr || !event.detail.xhr.status) return;
    answered();
    if (isPoll(event.detail.elt) && event.detail.successful) reached();
  });
  document.addEventListener("htmx:afterOnLoad", reached);
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:responseError", (event) => {
    if (isPoll(event.detail.elt)) return lost();
    reached();
    // The server's own words (a piece of a page, made by our templates), where the other words stand.
    if (event.detail.xhr.responseText.length < 5000) toasts().innerHTML = event.detail.xhr.responseText;
    hush();
  });

  // The second half of a double click must not press what has just taken the button's place.
  // A PIN's Enter is none: quick fingers and a keypad are faster than that.
  document.addEventListener("click", (event) => {
    const typedPin = event.detail === 0 && event.target.closest('[form="pin-form"]');
    if (Date.now() - changedAt < 400 && event.target.closest("[data-primary]") && !typedPin) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  // What was said stays long enough to be read.
  let spoken = 0;
  const toasts = () => document.getElementById("toasts");
  const hush = () => {
    if (!toasts().firstElementChild) return;
    clearTimeout(spoken);
    spoken = setTimeout(() => toasts().replaceChildren(), 8000);
  };
  document.addEventListener("htmx:afterSettle", hush);
  hush();

  // --- what a refresh must not lose: taps, an open dialog, the focus, a half-made signature ---------

  let kept = null;
  const remember = () => {
    const box = person();
    kept = {
      screen: box.dataset.screen,
      person: box.dataset.person,
      checked: Array.from(box.querySelectorAll("input:checked")).map((i) => [i.name, i.value]),
      dialog: box.querySelector("dialog[open]")?.id,
      focus: document.activeElement?.id,
    };
  };
  const restore = () => {
    const box = person();
    if (kept && kept.person && kept.person === box.dataset.person && kept.screen === box.dataset.screen) {
      kept.checked.forEach(([name, value]) => {
        const input = box.querySelector('input[name="' + CSS.escape(name) + '"][value="' + CSS.escape(value) + '"]');
        if (input) input.checked = true;
      });
      const dialog = kept.dialog && document.getElementById(kept.dialog);
      if (dialog) window.ost.openDialog(dialog);
    }
    if (kept && kept.screen !== box.dataset.screen) changedAt = Date.now();
    const wanted = kept && kept.screen !== box.dataset.screen && box.querySelector("[data-focus]");
    if (wanted) {
      wanted.focus({ preventScroll: true }); // what is typed next belongs there: a PIN, right after its card
    } else if (document.activeElement === document.body) {
      const back = kept && kept.focus && document.getElementById(kept.focus);
      (back || box).focus({ preventScroll: true });
    }
    kept = null;
    openGroup(openedGroup);
    gate();
    tick();
    pads();
  };
  document.addEventListener("htmx:afterSettle", () => { if (kept) restore(); });

  // --- queue ---------------------------------------------------------------------------------------

  const queue = document.getElementById("queue");
  const queueButton = page.querySelector("[data-queue]");
  let openedGroup = queue.dataset.open;
  const openGroup = (name) => {
    openedGroup = name;
    queue.dataset.open = name;
    queue.querySelectorAll("[data-group-open]").forEach((b) => {
      b.setAttribute("aria-expanded", String(b.dataset.groupOpen === name));
    });
  };
  const showQueue = (shown) => {
    queue.classList.toggle("is-shown", shown);
    queueButton.setAttribute("aria-expanded", String(shown));
  };

  document.addEventListener("click", (event) => {
    const group = event.target.closest("[data-group-open]");
    if (group) return openGroup(group.dataset.groupOpen);
    if (event.target.closest("[data-queue]")) return showQueue(!queue.classList.contains("is-shown"));
    if (event.target.closest(".row, .find button")) showQueue(false);

    const reveal = event.target.closest("[data-reveal]");
    if (reveal) {
      const text = reveal.querySelector("[data-masked]");
      const shown = reveal.getAttribute("aria-pressed") === "true";
      if (!shown) reveal.dataset.was = text.textContent;
      text.textContent = shown ? reveal.dataset.was : reveal.dataset.reveal;
      reveal.setAttribute("aria-pressed", String(!shown));
      return;
    }
    const focuses = event.target.closest("[data-focuses]");
    if (focuses) {
      tappedWay.value = focuses.dataset.way || "";
      showQueue(true);
      document.getElementById(focuses.dataset.focuses).focus();
    }
  });
  document.addEventListener("submit", (event) => { if (event.target.id === "find") showQueue(false); });

  // --- keys: F4 = no signs, Esc = leave when nothing is promised (F2 is in page.js) --------------------

  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "F4" && !event.altKey && !event.ctrlKey) {
      event.preventDefault();
      const none = document.getElementById("no-signs");
      if (none && !none.checked) none.click();
    } else if (event.key === "Escape" && !event.defaultPrevented) {
      if (queue.classList.contains("is-shown")) return showQueue(false);
      if (document.activeElement === field && field.value) { field.value = ""; return; }
      const leave = page.querySelector("[data-leave]");
      if (leave) leave.click();
    }
  });

  // --- scanners: a keyboard that types "OST-...", "OSTP-..." or "OSTB...." very fast and presses Enter ------------------
  // Only that pattern is taken, and what it typed into a field is taken out again.

  const CODE = /^OST(-|B\.|P[-.])/; // a card, a bottle, a guest's pass
  const PREFIX = 4;
  const FAST = 120; // ms between keys; nobody types like that
  let typed = "";
  let lastKey = 0;
  let into = null;
  let before = "";

  document.addEventListener("keydown", (event) => {
    const at = event.timeStamp;
    if (at - lastKey > FAST) { typed = ""; into = null; }
    lastKey = at;
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (!typed) {
        const el = document.activeElement;
        into = el && "value" in el && el.matches("input, textarea") ? el : null;
        before = into ? into.value : "";
      }
      typed += event.key;
      if (typed.length >= PREFIX && CODE.test(typed.padEnd(5, "."))) {
        event.preventDefault();
        if (into && into.value !== before) into.value = before;
      }
    } else if (event.key === "Enter" && CODE.test(typed)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const code = typed;
      typed = "";
      scanned(code);
    }
  }, true);

  const scanned = (code) => {
    document.querySelectorAll("dialog[open]").forEach((d) => d.close());
    const dose = person().dataset.dose || "";
    window.htmx.ajax("POST", page.dataset.scanUrl, {
      source: person(), target: "#person", swap: "outerHTML", values: { text: code, scanned: "1", dose_id: dose },
    });
  };

  // --- the signature ----------------------------------------------------------------------------------------

  const pads = window.ostSignPads(() => document.querySelector("[data-signature]"), 4);

  gate();
  tick();
  pads();
})();
