// The plane of step 3: points, and arrows over them.
import { color, el, onTheme } from "../../common/dom.js";
import { rgb } from "../../common/tensor.js";

/// Half the side of the plane, as the program has it.
export const reach = 3.2;

/// plane({ label, concept }) with `.show({ dots: [{ points, concept, radius, alpha, only(i) }], arrows: { places, noise } })`
///
/// - points: { shape: [n, 2], values }
/// - arrows: places and ε̂ there; they point along the score, −ε̂
export function plane({ label, note, most = "24rem" }) {
  const canvas = el("canvas", { role: "img", "aria-label": label,
    style: { display: "block", width: "100%", "aspect-ratio": "1", "border-radius": "8px", background: "var(--plate)" } });
  const caption = el("figcaption", {}, label);
  const readout = note === undefined ? undefined : el("span", { class: "readout" }, note);
  const figure = el("figure", { style: { "max-width": most } }, caption, canvas, readout);
  let content;

  function draw() {
    if (!content) return;
    const side = Math.round((canvas.clientWidth || 300) * Math.min(2, devicePixelRatio || 1));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    const scale = side / (2 * reach), x = v => (v + reach) * scale, y = v => (reach - v) * scale;
    context.strokeStyle = color("line");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x(0), 0); context.lineTo(x(0), side); context.moveTo(0, y(0)); context.lineTo(side, y(0));
    context.stroke();
    for (const { points, concept = "data", radius = 1.7, alpha = 0.8, only } of content.dots ?? []) {
      const [r, g, b] = rgb(color(concept));
      context.fillStyle = `rgba(${r}, ${g}, ${b}, ${alpha})`;
      const size = radius * side / 300, values = points.values;
      for (let i = 0; 2 * i + 1 < values.length; i++) {
        if (only && !only(i)) continue;
        context.beginPath();
        context.arc(x(values[2 * i]), y(values[2 * i + 1]), size, 0, 7);
        context.fill();
      }
    }
    if (content.arrows) drawArrows(context, side, x, y, content.arrows);
    if (content.pen) {
      const [px, py] = content.pen;
      context.strokeStyle = color("ink");
      context.lineWidth = side / 220;
      context.beginPath();
      context.moveTo(x(px) - side / 30, y(py)); context.lineTo(x(px) + side / 30, y(py));
      context.moveTo(x(px), y(py) - side / 30); context.lineTo(x(px), y(py) + side / 30);
      context.stroke();
    }
  }

  new ResizeObserver(draw).observe(canvas);
  onTheme(draw);
  return Object.assign(figure, {
    canvas,
    show(next) { content = next; draw(); },
    name(text, description = text) { caption.textContent = text; canvas.setAttribute("aria-label", description); },
    say(text) { if (readout) readout.textContent = text; },
  });
}

/// Arrows of length |ε̂|, cut where they would meet: they show where to, not how far.
function drawArrows(context, side, x, y, { places, noise, concept = "gradient" }) {
  context.strokeStyle = context.fillStyle = color(concept);
  context.globalAlpha = 0.75;
  context.lineWidth = Math.max(1, side / 320);
  const cell = side / Math.sqrt(places.shape[0]), head = cell * 0.2;
  context.beginPath();
  for (let i = 0; i < places.shape[0]; i++) {
    const [u, v] = [-noise.values[2 * i], noise.values[2 * i + 1]], length = Math.hypot(u, v);
    if (length < 0.02) continue;
    const drawn = cell * 0.86 * Math.min(1, length / 2.2), [dx, dy] = [u / length, v / length];
    const [px, py] = [x(places.values[2 * i]), y(places.values[2 * i + 1])];
    const [ex, ey] = [px + dx * drawn, py + dy * drawn], tip = Math.min(head, drawn * 0.6);
    context.moveTo(px, py);
    context.lineTo(ex, ey);
    context.moveTo(ex - tip * (dx + dy * 0.6), ey - tip * (dy - dx * 0.6));
    context.lineTo(ex, ey);
    context.lineTo(ex - tip * (dx - dy * 0.6), ey - tip * (dy + dx * 0.6));
  }
  context.stroke();
  context.globalAlpha = 1;
}

/// Several planes side by side, each at least so wide.
export function planes(least, ...children) {
  return el("div", { style: { display: "grid", gap: "1rem", "margin-bottom": "0.9rem",
    "grid-template-columns": `repeat(auto-fit, minmax(min(100%, ${least}), 1fr))` } }, ...children);
}

/// Calls `seen` once, when the reader comes to the laboratory.
export function whenSeen(lab, seen) {
  const observer = new IntersectionObserver(entries => {
    if (!entries.some(entry => entry.isIntersecting)) return;
    observer.disconnect();
    if (!lab.isGone()) seen();
  }, { rootMargin: "80px" });
  observer.observe(lab.root);
}

/// A definition list of facts: [name, value, note].
export function facts(place, list) {
  place.replaceChildren(...list.filter(Boolean).map(([name, text, note]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, text, note !== undefined && el("small", {}, note)))));
}
