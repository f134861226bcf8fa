// The person's side: only the pad, on a page that refreshes itself.
"use strict";

(() => {
  const pads = window.ostSignPads((canvas) => canvas.closest("form").querySelector("[data-signature]"), 5);
  document.addEventListener("htmx:afterSettle", () => {
    pads();
    const field = document.querySelector("[data-focus]"); // a keypad of keys works without a tap on the glass
    if (field && document.activeElement === document.body) field.focus({ preventScroll: true });
  });
  pads();
})();
