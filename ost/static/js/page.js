// Every page: theme, menus, dialogs, one submit per form, focus on errors, F2 and Esc.
// No bare-letter shortcuts: scanners type letters.
"use strict";

(() => {
  const root = document.documentElement;

  const setTheme = (theme) => {
    root.classList.remove("theme-light", "theme-dark");
    if (theme !== "auto") root.classList.add("theme-" + theme);
    document.cookie = "theme=" + theme + "; path=/; max-age=31536000; samesite=lax";
    document.querySelectorAll("[data-theme]").forEach((b) => {
      b.setAttribute("aria-pressed", String(b.dataset.theme === theme));
    });
  };

  // Where the hand goes first: past a choice that is made already, and to the field that an error is about.
  const unanswered = (scope) => Array.from(scope.querySelectorAll("input:not([type=hidden]), select, textarea, button")).find((el) => {
    const made = el.type === "radio" && scope.querySelector('[name="' + CSS.escape(el.name) + '"]:checked');
    return !made && el.checkVisibility();
  });
  const toMend = (dialog) => {
    const said = Array.from(dialog.querySelectorAll(".nhsuk-error-message")).find((el) => el.checkVisibility());
    const fields = Array.from(said?.closest(".nhsuk-form-group, fieldset")?.querySelectorAll("input, select, textarea") || []);
    return fields.find((el) => !el.value) || fields[0];
  };

  // A dialog given by data-opens, or one that arrived with data-open in an answer.
  const openDialog = (dialog) => {
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const first = toMend(dialog) || dialog.querySelector("[data-focus], [autofocus]") || unanswered(dialog.querySelector(".dialog__body") || dialog);
    if (!first) return;
    first.focus();
    if (toMend(dialog)) first.scrollIntoView({ block: "center" }); // not under the buttons at the bottom
  };

  // A summary of errors names the field of each, so that "this is needed" twice says which two.
  const colon = root.lang.startsWith("zh") ? "\uff1a" : ": ";
  const nameErrors = () => {
    document.querySelectorAll(".nhsuk-error-summary__list a:not([data-named])").forEach((link) => {
      link.dataset.named = "1";
      const field = document.getElementById(link.hash.slice(1));
      const label = field && (field.labels?.[0] || field.querySelector("legend"));
      if (label) link.textContent = label.textContent.trim().replace(/[?\uff1f]$/, "") + colon + link.textContent;
    });
  };

  const openArrived = (scope) => {
    (scope || document).querySelectorAll("dialog[data-open]").forEach((d) => {
      d.removeAttribute("data-open");
      openDialog(d);
    });
  };

  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-theme]");
    if (theme) return setTheme(theme.dataset.theme);

    const opens = event.target.closest("[data-opens]");
    if (opens) {
      event.preventDefault();
      return openDialog(document.getElementById(opens.dataset.opens));
    }
    const closes = event.target.closest("[data-closes]");
    if (closes) return closes.closest("dialog").close();
    if (event.target.closest("[data-print]")) return window.print();
    if (event.target.closest(".menu__item")) event.target.closest("details[data-menu]").open = false;

    document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  // What is shown as not available does nothing, whoever else listens.
  document.addEventListener("click", (event) => {
    const off = event.target.closest('[aria-disabled="true"]');
    if (!off) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.dispatchEvent(new CustomEvent("ost:refused", { detail: off }));
  }, true);

  // One submit per form: a double click sends once. The server's own key makes a repeat harmless too.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) return event.preventDefault();
    if (form.hasAttribute("hx-post") || form.hasAttribute("data-hx-post")) return; // counter.js watches those
    form.dataset.sent = "1";
    form.querySelectorAll("button").forEach((b) => b.setAttribute("aria-busy", "true"));
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("button").forEach((b) => b.removeAttribute("aria-busy"));
    });
  });

  // The digits of the lock page, the counter and the person's side.
  document.addEventListener("click", (event) => {
    const key = event.target.closest("[data-pinpad] [data-key]");
    if (!key) return;
    const pin = key.closest("form").querySelector('input[name="pin"]');
    pin.value = key.dataset.key === "back" ? pin.value.slice(0, -1) : (pin.value + key.dataset.key).slice(0, pin.maxLength);
    if (pin.inputMode === "none") pin.focus(); // Enter then means "check it", and no keyboard of the tablet comes up
  });

  // F2 presses the primary button of what is on top; Esc leaves a menu.
  document.addEventListener("keydown", (event) => {
    if (event.key === "F2") {
      event.preventDefault();
      if (event.repeat) return;
      const top = Array.from(document.querySelectorAll("dialog[open]")).pop() || document;
      const button = top.querySelector("[data-primary]");
      if (button) button.click();
    } else if (event.key === "Escape") {
      const menu = document.querySelector("details[data-menu][open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
        event.stopImmediatePropagation();
      }
    }
  });

  document.addEventListener("htmx:afterSettle", () => { nameErrors(); openArrived(document); });
  document.addEventListener("DOMContentLoaded", () => {
    nameErrors();
    openArrived(document);
    const focus = document.querySelector("[data-focus]");
    if (focus) focus.focus();
  });

  window.ost = { openDialog };
})();
