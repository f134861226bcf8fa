// Sends an archive as the body of the request: a form's file would be written to disk on the way.
"use strict";

(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const said = form.querySelector("[data-said]");
  const chinese = document.documentElement.lang.startsWith("zh");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const file = form.elements.archive.files[0];
    if (!file) {
      said.textContent = said.dataset.none;
      return;
    }
    const button = form.querySelector("button");
    button.disabled = true;
    said.textContent = said.dataset.busy;
    const query = new URLSearchParams({ name: file.name });
    for (const field of ["device", "cohort", "dpi"]) query.set(field, form.elements[field].value);
    try {
      const answer = await fetch(form.dataset.upload + "?" + query, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/zip", "X-CSRFToken": form.dataset.token, Accept: "application/json" },
        body: file,
      });
      const told = await answer.json();
      if (answer.ok) {
        window.location.assign(told.url);
        return;
      }
      said.textContent = told.error.title + (chinese ? "\u3002" : ". ") + told.error.action;
    } catch {
      said.textContent = said.dataset.failed;
    }
    button.disabled = false;
  });
})();
