// A tensor as a small heat map with its shape at the edge.
import { color, el, onTheme } from "./dom.js";
import { significant } from "./numbers.js";

/// heat({ name: "K", concept: "key", label: "Keys", rows: "token", columns: "dimension" })
///
/// - name: the symbol that lights it up
/// - concept: whose color it has
/// - signed: whether values below zero are shown too, in the color of ink; else the least is paper, the most full color
/// - axes(row, column): what a cell is called in the readout
/// - height: of the picture, where its cells need not be squares
/// - onPick(row, column): called when a cell is pointed at or clicked
///
/// `.show({ shape, values }, options)` draws the last two dimensions of a tensor. Options: `most`, the magnitude that gets
/// full color; `hidden(row, column)`; `rowNames`, texts beside the rows; `marked`, a row with a frame.
export function heat({ name, concept = "ink", label, signed = true, height, axes, onPick, cell }) {
  const canvas = el("canvas", { role: "img", width: 1, height: 1 });
  const edge = el("span", { class: "edge" });
  const rowNames = el("div", { class: "row-names", "aria-hidden": "true" });
  const marker = el("div", { class: "marker", hidden: true });
  const readout = el("span", { class: "readout" });
  const caption = el("figcaption", {},
    name && el("b", { class: `symbol of-${concept}` }, name), name && " ", label, " ", edge);
  const figure = el("figure", { class: `heat of-${concept}`, data: name ? { tensor: name } : {} }, caption,
    el("div", { class: "plate" }, rowNames, el("div", { class: "cells" }, canvas, marker)), readout);
  let shown, options = {};

  function draw() {
    if (!shown) return;
    const [rows, columns] = size(shown.shape);
    const values = shown.values;
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    const [ink, paper, full] = [rgb(color("negative")), rgb(color("plate")), rgb(color(concept))];
    let most = options.most ?? 0;
    if (!options.most) for (const v of values) if (Number.isFinite(v) && Math.abs(v) > most) most = Math.abs(v);
    for (let i = 0; i < rows * columns; i++) {
      const v = values[i];
      const isHidden = options.hidden?.(Math.floor(i / columns), i % columns);
      const share = Number.isFinite(v) && most > 0 ? Math.min(1, Math.abs(v) / most) : 0;
      const to = v < 0 && signed ? ink : full;
      // The eye sees small differences near paper best: a root spreads them.
      const t = Math.pow(share, 0.7);
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = paper[c] + (to[c] - paper[c]) * t;
      image.data[4 * i + 3] = isHidden ? 0 : 255;
    }
    context.putImageData(image, 0, 0);
    canvas.style.setProperty("aspect-ratio", `${columns} / ${rows}`);
    if (height) { canvas.style.setProperty("height", height); canvas.style.setProperty("aspect-ratio", "auto"); }
    if (cell) canvas.style.setProperty("max-width", `${columns * cell}px`);
    // Names of rows stand beside them where there is room.
    const names = options.rowNames && rows <= 18 ? options.rowNames : [];
    rowNames.replaceChildren(...names.map((text, i) => el("span", { class: i === options.marked ? "marked" : "" }, text)));
    rowNames.hidden = names.length === 0;
    marker.hidden = options.marked === undefined;
    if (options.marked !== undefined) {
      marker.style.setProperty("top", `${100 * options.marked / rows}%`);
      marker.style.setProperty("height", `${100 / rows}%`);
    }
    edge.textContent = `[${shown.shape.join(" × ")}]`;
    canvas.setAttribute("aria-label",
      `${label}, ${rows} by ${columns}; the largest magnitude is ${significant(most)}`);
  }

  function at(event) {
    if (!shown) return;
    const [rows, columns] = size(shown.shape);
    const box = canvas.getBoundingClientRect();
    const clamp = (x, n) => Math.max(0, Math.min(n - 1, Math.floor(x * n)));
    return [clamp((event.clientY - box.top) / box.height, rows), clamp((event.clientX - box.left) / box.width, columns)];
  }

  function tell(row, column) {
    const [, columns] = size(shown.shape);
    const v = shown.values[row * columns + column];
    const what = axes ? axes(row, column) : `row ${row}, column ${column}`;
    readout.textContent = options.hidden?.(row, column) ? `${what}: hidden` : `${what}: ${significant(v)}`;
  }
  canvas.addEventListener("pointermove", event => { const p = at(event); if (p) tell(...p); });
  canvas.addEventListener("pointerleave", () => { readout.textContent = ""; });
  if (onPick) {
    canvas.classList.add("pickable");
    canvas.addEventListener("click", event => { const p = at(event); if (p) onPick(...p); });
  }
  onTheme(draw);

  return Object.assign(figure, {
    show(tensor, more = {}) { shown = tensor; options = more; draw(); },
  });
}

const size = shape => shape.length > 1 ? shape.slice(-2) : [1, shape[0]];

/// "#abc", "#aabbcc" or "rgb(…)" → [r, g, b]
export function rgb(text) {
  if (text.startsWith("#")) {
    const hex = text.length === 4 ? [...text.slice(1)].map(c => c + c).join("") : text.slice(1, 7);
    return [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16));
  }
  return (text.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map(Number);
}
