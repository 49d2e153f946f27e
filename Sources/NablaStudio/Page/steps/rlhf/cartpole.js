// CartPole in the page: the same equations as Sources/CNablaKernels/environments.c, so that a key is answered within a
// frame. Tests/Browser compares them with the library's episodes, step by step.
import { color, el, onTheme } from "../../common/dom.js";

const gravity = 9.8, poleMass = 0.1, totalMass = 1.1, halfLength = 0.5, force = 10, seconds = 0.02;
export const limits = { position: 2.4, angle: 12 * Math.PI / 180 };

/// The state 0.02 s later: [position, velocity, angle, angular velocity], explicit Euler. action: 0 left, 1 right.
export function step([x, speed, angle, spin], action) {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const push = action === 1 ? force : -force;
  const shared = (push + poleMass * halfLength * spin * spin * sine) / totalMass;
  const spinRate = (gravity * sine - cosine * shared) / (halfLength * (4 / 3 - poleMass * cosine * cosine / totalMass));
  const speedRate = shared - poleMass * halfLength * spinRate * cosine / totalMass;
  return [x + seconds * speed, speed + seconds * speedRate, angle + seconds * spin, spin + seconds * spinRate];
}

export const hasFallen = ([x, , angle]) => Math.abs(x) > limits.position || Math.abs(angle) > limits.angle;

/// Why an episode ended, in words; "" if it has not.
export const ending = ([x, , angle]) => Math.abs(angle) > limits.angle ? `the pole leaned more than 12° to the ${side(angle)}`
  : Math.abs(x) > limits.position ? `the cart left the track on the ${side(x)}` : "";

/// "pole 3.1° to the right, cart 0.20 m left of the middle"
export const inWords = ([x, , angle]) =>
  `pole ${(Math.abs(angle) * 180 / Math.PI).toFixed(1)}° to the ${side(angle)}, cart ${Math.abs(x).toFixed(2)} m ${side(x)} of the middle`;

const side = value => value < 0 ? "left" : "right";

/// A track with a cart and its pole: `.show(state, { push: 0 | 1 | undefined, isOver })`
export function track({ label, concept }) {
  const canvas = el("canvas", { role: "img", "aria-label": label,
    style: { display: "block", width: "100%", "aspect-ratio": "5.2 / 1.5", "border-radius": "8px", background: "var(--plate)" } });
  const caption = el("figcaption", {}, label), count = el("output", { style: { "white-space": "nowrap" } }), words = el("span", { class: "readout" });
  const figure = el("figure", { class: `of-${concept}` },
    el("div", { style: { display: "flex", "justify-content": "space-between", gap: "0.6rem" } }, caption, count), canvas, words);
  let shown;

  function draw() {
    if (!shown) return;
    const [[x, , angle], { push, isOver }] = shown;
    words.textContent = inWords(shown[0]);
    const width = Math.round((canvas.clientWidth || 400) * Math.min(2, devicePixelRatio || 1)), height = Math.round(width * 1.5 / 5.2);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d"), scale = width / 5.2, ground = height - 0.18 * scale;
    const place = meters => width / 2 + meters * scale;
    context.clearRect(0, 0, width, height);
    context.lineCap = "round";
    const line = (from, to, style, thickness) => {
      [context.strokeStyle, context.lineWidth] = [style, thickness];
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.stroke();
    };
    line([0, ground], [width, ground], color("line"), 2);
    for (const end of [-limits.position, limits.position]) line([place(end), ground], [place(end), ground - 0.35 * scale], color("muted"), 2);
    // The pole is a metre long, and may lean so far.
    const pivot = [place(x), ground - 0.26 * scale];
    const tip = a => [pivot[0] + scale * Math.sin(a), pivot[1] - scale * Math.cos(a)];
    for (const limit of [-limits.angle, limits.angle]) line(pivot, tip(limit), color("line"), 1.5);
    const own = color(concept);
    context.globalAlpha = isOver ? 0.45 : 1;
    context.fillStyle = color("muted");
    context.beginPath();
    context.roundRect(pivot[0] - 0.25 * scale, ground - 0.26 * scale, 0.5 * scale, 0.26 * scale, 0.05 * scale);
    context.fill();
    line(pivot, tip(angle), own, 0.07 * scale);
    if (push !== undefined && !isOver) {
      const direction = push === 1 ? 1 : -1, from = pivot[0] - direction * 0.62 * scale, to = pivot[0] - direction * 0.33 * scale, y = ground - 0.13 * scale;
      line([from, y], [to, y], own, 3);
      line([to - direction * 0.08 * scale, y - 0.06 * scale], [to, y], own, 3);
      line([to - direction * 0.08 * scale, y + 0.06 * scale], [to, y], own, 3);
    }
    context.globalAlpha = 1;
  }

  new ResizeObserver(draw).observe(canvas);
  onTheme(draw);
  return Object.assign(figure, {
    show(state, options = {}) { shown = [state, options]; draw(); },
    name(text) { caption.textContent = text; canvas.setAttribute("aria-label", text); },
    say(text) { count.textContent = text; },
  });
}
