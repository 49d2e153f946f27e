// Parameters counted, drawn to scale.
import { el, svg } from "../../common/dom.js";
import { bytes, grouped, percent, scaled, significant } from "../../common/numbers.js";
import { facts } from "./facts.js";

const side = 200;
const widths = [64, 256, 576, 768, 1024, 2048, 4096, 5120, 8192, 12288, 16384];

export function count(lab) {
  lab.slider("d", { label: "Width d", list: widths, value: 12288, words: v => grouped(v) });
  lab.slider("r", { label: "Rank r", title: "Rank r", list: [1, 2, 4, 8, 16, 32, 64, 128, 256], value: 8 });
  lab.slider("layers", { label: "Layers", list: [2, 12, 24, 32, 48, 80, 96, 126], value: 96 });
  lab.slider("each", { label: "Matrices in a layer", min: 1, max: 7, value: 2, words: v => v === 2 ? "2, say queries and values" : String(v) });
  const picture = lab.add(el("figure", { style: { "margin-bottom": "0.9rem" } }));
  const list = lab.add(el("dl", { class: "facts" }));
  lab.live("count", s => ({ d: s.get("d"), r: Math.min(s.get("r"), s.get("d")), layers: s.get("layers"), each: s.get("each") }), (answer, { d, r }) => {
    picture.replaceChildren(el("figcaption", {}, side * r / d < 1.2 ? "The matrix and the two factors, to scale but for their thickness: they are thinner than can be drawn" : "The matrix and the two factors, to scale"), drawing(d, r));
    facts(list, [
      ["all of ΔW", grouped(answer.full), `${grouped(d)} × ${grouped(d)}`],
      ["B and A", grouped(answer.low), `${grouped(d)} × ${r} and ${r} × ${grouped(d)}`],
      ["fewer by", `${significant(answer.ratio, answer.ratio >= 100 ? 4 : 3).replace(/\.0+$/, "")}×`, "d / 2r"],
      [`in ${answer.matrices} matrices`, scaled(answer.lowOfAll), `against ${scaled(answer.fullOfAll)}`],
      ["to train them, float32", bytes(answer.lowBytes), `against ${bytes(answer.fullBytes)}: weights, gradients, Adam`],
      answer.shareOfGPT3 !== undefined && ["of 175 billion", percent(answer.shareOfGPT3, 4), grouped(answer.lowOfAll)],
    ]);
  });
}

function drawing(d, r) {
  const gap = 26, thin = Math.max(1.2, side * r / d);
  const box = (x, y, width, height, concept) => svg("rect", { x, y, width, height, class: `of-${concept}`, fill: "var(--of)" });
  const text = (x, y, words, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor, class: "note" }, words);
  const left = side + gap + 34;
  return svg("svg", { viewBox: `0 0 ${left + side + gap + 70} ${side + 34}`, class: "chart", role: "img", style: { "max-width": "34rem" },
    "aria-label": `ΔW is a square of ${d} by ${d}; B is a column ${r} wide, A a row ${r} high: ${Math.round(d / r)} times as long as they are thick` },
    box(0, 26, side, side, "weights"), text(side / 2, 16, `ΔW [${d} × ${d}]`), text(side + gap / 2 + 10, 26 + side / 2, "≈"),
    box(left, 26, thin, side, "key"), text(left + thin / 2, 16, `B [${d} × ${r}]`),
    text(left + thin + 12, 26 + thin / 2 + 4, "·"),
    box(left + thin + 24, 26, side, thin, "query"), text(left + thin + 24 + side / 2, 26 + thin + 16, `A [${r} × ${d}]`));
}
