// The person's side: only the pad, on a page that refreshes itself.
"use strict";

(() => {
  const pads = window.ostSignPads((canvas) => canvas.closest("form").querySelector("[data-signature]"), 5);
  document.addEventListener("htmx:afterSettle", pads);
  pads();
})();
