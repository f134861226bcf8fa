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

  // A dialog given by data-opens, or one that arrived with data-open in an answer.
  const openDialog = (dialog) => {
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const first = dialog.querySelector("[data-focus], [autofocus], .dialog__body :is(input:not([type=hidden]), select, textarea, button)");
    if (first) first.focus();
  };

  // A summary of errors names the field of each, so that "this is needed" twice says which two.
  const colon = root.lang.startsWith("zh") ? "\uff1a" : ": ";
  const nameErrors = () => {
    document.querySelectorAll(".nhsuk-error-summary__list a:not([data-named])").forEach((link) => {
      link.dataset.named = "1";
      const field = document.getElementById(link.hash.slice(1));
      const label = field && (field.labels?.[0] || field.querySelector("legend"));
      if (label) link.textContent = label.textContent.trim() + colon + link.textContent;
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

  // The PIN pad of the lock page.
  document.addEventListener("click", (event) => {
    const key = event.target.closest("[data-pinpad] [data-key]");
    if (!key) return;
    const pin = key.closest("form").querySelector('input[name="pin"]');
    pin.value = key.dataset.key === "back" ? pin.value.slice(0, -1) : (pin.value + key.dataset.key).slice(0, 12);
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
