// The pad a person signs on. Strokes outlive a refresh of the page around them; nothing is kept here.
"use strict";

// `field(canvas)`: the hidden field the strokes go into; `width`: of the pen. Gives a function that
// readies every pad on the page and draws what was signed on it before.
window.ostSignPads = (field, width) => {
  const strokes = {}; // by dose, so that a refresh of the zone does not wipe it

  const pads = () => document.querySelectorAll("canvas[data-sign]").forEach((canvas) => {
    const mine = (strokes[canvas.dataset.sign] ||= []);
    const pen = canvas.getContext("2d");
    const draw = () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.strokeStyle = getComputedStyle(canvas).color;
      pen.lineWidth = width;
      pen.lineCap = pen.lineJoin = "round";
      mine.forEach((line) => {
        pen.beginPath();
        line.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
        pen.stroke();
      });
      const hidden = field(canvas);
      if (hidden) hidden.value = mine.length ? JSON.stringify(mine) : "";
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
    // Beside its pad on the counter; on the person's side there is one pad.
    const near = event.target.closest(".sign");
    const canvas = (near || document).querySelector("canvas[data-sign]");
    if (canvas) strokes[canvas.dataset.sign].length = 0;
    pads();
  });
  return pads;
};
