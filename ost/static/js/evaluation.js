// Sends an archive as the body of the request: a form's file would be written to disk on the way.
"use strict";

(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const said = form.querySelector("[data-said]");

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
      if (answer.ok) {
        window.location.assign((await answer.json()).url);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      said.textContent = page.querySelector("main h1")?.textContent.trim() || said.dataset.failed;
    } catch {
      said.textContent = said.dataset.failed;
    }
    button.disabled = false;
  });
})();
