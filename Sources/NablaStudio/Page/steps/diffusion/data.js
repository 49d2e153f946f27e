// Which distribution step 3 is about, and how it is drawn.
import { announce, el } from "../../common/dom.js";
import { fixed } from "../../common/numbers.js";
import { reach } from "./plane.js";

const shapes = { moons: "moons", spirals: "spirals", rings: "rings", "eight-gaussians": "eight Gaussians",
  checkerboard: "checkerboard", datasaurus: "a dinosaur", drawn: "your own drawing" };
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const cells = 64, cell = 2 * reach / cells, most = 400;

/// A nabla, until something else is drawn: two characters a point, column and row.
const [nabla, eye] = (() => {
  const corners = [[12, 50], [52, 50], [32, 12], [12, 50]], marks = new Set();
  for (let i = 0; i < 3; i++) {
    for (let s = 0; s < 1; s += 0.03) {
      marks.add([0, 1].map(d => alphabet[Math.round(corners[i][d] + s * (corners[i + 1][d] - corners[i][d]))]).join(""));
    }
  }
  const ring = new Set();
  for (let a = 0; a < 6.28; a += 0.3) ring.add(alphabet[Math.round(32 + 5 * Math.cos(a))] + alphabet[Math.round(38 + 5 * Math.sin(a))]);
  return [[...marks].join(""), [...ring].join("")];
})();

const readInk = text => text.length <= 2 * most && /^([\w-]{2})*$/.test(text) ? text : undefined;

/// The names that every laboratory of the step has in common; they are declared where the first of them is made.
export function declare(lab) {
  lab.value("shape", "moons", text => text in shapes ? text : undefined);
  lab.value("ink1", nabla, readInk);
  lab.value("ink2", eye, readInk);
  lab.value("seed", 1, text => /^\d{1,9}$/.test(text) ? Number(text) : undefined);
}

/// What the program is asked about the data; undefined while nothing is drawn.
export function dataQuery(s) {
  if (s.get("shape") !== "drawn") return { shape: s.get("shape"), seed: s.get("seed") };
  if (!s.get("ink1") && !s.get("ink2")) return undefined;
  return { shape: "drawn", ink1: s.get("ink1"), ink2: s.get("ink2"), seed: s.get("seed") };
}

/// The same with what decides the trained networks.
export function modelQuery(s) {
  const data = dataQuery(s);
  return data && { ...data, steps: s.get("steps") };
}

/// The choice of a shape, and a pen on `canvas` where it is "your own drawing".
///
/// - showPen(place): draws the place of the pen, in the plane's units; undefined for none
export function dataControls(lab, figure, showPen) {
  declare(lab);
  lab.choice("shape", { label: "A distribution to learn", value: "moons", options: shapes });
  const tools = el("div", { class: "controls", role: "group", "aria-label": "Drawing" });
  lab.controls.after(tools);
  lab.choice("ink", { label: "Ink: each is a class", value: "1", options: { 1: "first (blue)", 2: "second (orange)" }, place: tools });
  lab.button("Clear", () => { lab.state.setAll({ ink1: "", ink2: "" }); announce("The drawing is empty"); }, { place: tools });
  const hint = el("span", { class: "note" });
  tools.append(hint);
  const canvas = figure.canvas;
  let pen = [32, 32], isDrawing = false;
  const place = ([column, row]) => [-reach + (column + 0.5) * cell, -reach + (row + 0.5) * cell];

  function put([column, row]) {
    const ink = `ink${lab.state.get("ink")}`, mark = alphabet[column] + alphabet[row], text = lab.state.get(ink);
    for (let i = 0; i < text.length; i += 2) if (text.slice(i, i + 2) === mark) return;
    if (text.length < 2 * most) lab.state.set(ink, text + mark);
  }
  function at(event) {
    const box = canvas.getBoundingClientRect();
    const to = share => Math.max(0, Math.min(cells - 1, Math.floor(share * cells)));
    return [to((event.clientX - box.left) / box.width), to(1 - (event.clientY - box.top) / box.height)];
  }
  canvas.addEventListener("pointerdown", event => {
    if (lab.state.get("shape") !== "drawn") return;
    isDrawing = true;
    canvas.setPointerCapture(event.pointerId);
    put(pen = at(event));
  });
  canvas.addEventListener("pointermove", event => { if (isDrawing) put(pen = at(event)); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { isDrawing = false; });
  canvas.addEventListener("keydown", event => {
    if (lab.state.get("shape") !== "drawn" || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 5 : 1;
    const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[event.key];
    const ink = `ink${lab.state.get("ink")}`;
    if (move) pen = pen.map((v, i) => Math.max(0, Math.min(cells - 1, v + move[i])));
    else if (event.key === " " || event.key === "Enter") {
      put(pen);
      announce(`A point at ${place(pen).map(v => fixed(v, 1)).join(", ")}`);
    } else if (event.key === "Backspace" || event.key === "Delete") lab.state.set(ink, lab.state.get(ink).slice(0, -2));
    else return;
    event.preventDefault();
    event.stopPropagation();
    showPen(place(pen));
  });
  canvas.addEventListener("focus", () => { if (lab.state.get("shape") === "drawn") showPen(place(pen)); });
  canvas.addEventListener("blur", () => showPen(undefined));

  function change() {
    const draws = lab.state.get("shape") === "drawn";
    tools.hidden = !draws;
    canvas.style.touchAction = draws ? "none" : "";
    canvas.style.cursor = draws ? "crosshair" : "";
    if (draws) { canvas.tabIndex = 0; canvas.setAttribute("role", "application"); } else { canvas.removeAttribute("tabindex"); canvas.setAttribute("role", "img"); }
    const count = (lab.state.get("ink1").length + lab.state.get("ink2").length) / 2;
    hint.textContent = `${count} points. Draw on the left picture; by keyboard: arrows move the pen, Space puts a point, Backspace takes the last away.`;
    return draws;
  }
  change();
  lab.state.onChange(change);
}

/// The drawn marks as points of the plane.
export function drawn(s, ink) {
  const text = s.get(`ink${ink}`), values = [];
  for (let i = 0; i < text.length; i++) values.push(-reach + (alphabet.indexOf(text[i]) + 0.5) * cell);
  return { shape: [values.length / 2, 2], values };
}
