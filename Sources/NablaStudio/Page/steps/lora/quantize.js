// NF4 on a histogram of weights.
import { ask } from "../../common/ask.js";
import { el, svg } from "../../common/dom.js";
import { bytes, fixed, grouped, percent, significant } from "../../common/numbers.js";
import { declareSeed, facts, layerName, menu } from "./facts.js";

const kinds = { nf4: "NF4, blocks of 64", even: "16 even levels, the same blocks", q4_0: "Q4_0: 16 even levels, blocks of 32", q8_0: "Q8_0: 255 even levels, blocks of 32" };

export async function quantize(lab) {
  declareSeed(lab);
  const { value: model } = await ask("attention", "model");
  lab.choice("weights", { label: "Weights", value: "small", options: { small: "of the small model trained here", model: `of ${model.name}` } });
  const matrix = menu(lab, "m4", { label: "Matrix" });
  const figure = lab.add(el("figure", { style: { "margin-bottom": "0.9rem" } }));
  const list = lab.add(el("dl", { class: "facts" }));
  const table = lab.add(el("table", {}));
  const note = lab.add(el("p", { class: "note" }));
  lab.live("matrices", s => ({ weights: s.get("weights"), seed: s.get("seed") }), value => matrix.fill(value.names.map(layerName)));
  lab.live("quantize", s => ({ weights: s.get("weights"), m4: s.get("m4"), seed: s.get("seed") }), (answer, query) => {
    const count = answer.shape[0] * answer.shape[1];
    figure.replaceChildren(el("figcaption", {}, `${grouped(count)} weights, each over the largest of its block of 64, and the 16 levels of NF4`), drawing(answer));
    const nf4 = answer.kinds[0];
    facts(list, [
      ["error of NF4", percent(nf4.error, 2), "‖W − Ŵ‖ / ‖W‖"],
      ["bits a weight", fixed(nf4.bits, 3), "scales included"],
      ["this matrix", bytes(nf4.bytes), `${bytes(4 * count)} in float32`],
      ["65 billion parameters", `${significant(answer.large4 / 1e9)} GB`, `${significant(answer.large16 / 1e9)} GB in 16 bits`],
    ]);
    table.replaceChildren(
      el("thead", {}, el("tr", {}, ...["levels", "bits a weight", "error"].map(t => el("th", {}, t)))),
      el("tbody", {}, ...answer.kinds.map(k => el("tr", {}, el("th", { scope: "row" }, kinds[k.name] ?? k.name), el("td", {}, fixed(k.bits, 3)), el("td", {}, percent(k.error, 2))))));
    note.textContent = answer.stored === "float32" ? "" : `This matrix is stored as ${answer.stored} already: errors are those on top of that.`;
    note.hidden = !note.textContent;
    lab.root.dataset.weights = query.weights;
  }, { seed: s => s.get("weights") === "small" ? s.get("seed") : undefined });
}

function drawing({ histogram, levels, used }) {
  const [width, height, left] = [560, 190, 8], most = Math.max(...histogram, 1), total = used.reduce((a, b) => a + b, 0) || 1;
  const x = v => left + (v + 1) / 2 * (width - 2 * left);
  const bar = (width - 2 * left) / histogram.length;
  return svg("svg", { viewBox: `0 0 ${width} ${height + 66}`, class: "chart", role: "img",
    "aria-label": `A histogram of weights between −1 and 1; the levels of NF4 are ${levels.map(v => fixed(v, 2)).join(", ")}` },
    ...histogram.map((n, i) => svg("rect", { x: left + i * bar + 0.5, width: bar - 1, y: height - n / most * (height - 14), height: n / most * (height - 14), class: "of-weights", fill: "var(--of)", opacity: 0.45 })),
    svg("line", { class: "grid", x1: 0, x2: width, y1: height, y2: height }),
    ...levels.map(v => svg("line", { x1: x(v), x2: x(v), y1: 6, y2: height + 6, class: "of-key", stroke: "var(--of)", "stroke-width": 1.6 })),
    ...used.map((n, i) => svg("circle", { cx: x(levels[i]), cy: height + 22, r: Math.sqrt(n / total) * 26, class: "of-key", fill: "var(--of)", opacity: 0.85 })),
    svg("text", { x: left, y: height + 50 }, "−1"), svg("text", { x: x(0), y: height + 50, "text-anchor": "middle" }, "0"),
    svg("text", { x: width - left, y: height + 50, "text-anchor": "end" }, "1"),
    svg("text", { x: x(0), y: height + 64, "text-anchor": "middle" }, "circles: how many weights each level takes"));
}
