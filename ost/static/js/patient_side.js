// The person's side: only the pad. Strokes survive the page's own refresh; nothing is kept here.
"use strict";

(() => {
  const strokes = {};

  const pads = () => document.querySelectorAll("canvas[data-sign]").forEach((canvas) => {
    const mine = (strokes[canvas.dataset.sign] ||= []);
    const pen = canvas.getContext("2d");
    const draw = () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.strokeStyle = getComputedStyle(canvas).color;
      pen.lineWidth = 5;
      pen.lineCap = pen.lineJoin = "round";
      mine.forEach((line) => {
        pen.beginPath();
        line.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
        pen.stroke();
      });
      canvas.closest("form").querySelector("[data-signature]").value = mine.length ? JSON.stringify(mine) : "";
    };
    draw();
    if (canvas.dataset.ready) return;
    canvas.dataset.ready = "1";
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      return [
        Math.round(((event.clientX - box.left) * canvas.width) / box.width),
        Math.round(((event.clientY - box.top) * canvas.height) / box.height),
      ];
    };
    canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      mine.push([point(event)]);
      draw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId) || !mine.length) return;
      mine[mine.length - 1].push(point(event));
      draw();
    });
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-sign-clear]")) return;
    const canvas = document.querySelector("canvas[data-sign]");
    if (canvas) strokes[canvas.dataset.sign].length = 0;
    pads();
  });
  document.addEventListener("htmx:afterSettle", pads);
  pads();
})();
