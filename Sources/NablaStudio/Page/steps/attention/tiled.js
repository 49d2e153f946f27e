// Flash attention: a pass over the score matrix by tiles.
import { chart } from "../../common/chart.js";
import { el, reducesMotion } from "../../common/dom.js";
import { bytes, fixed, grouped, significant } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";
import { shown } from "./attend.js";

export function tiled(lab) {
  let answer, timer;
  lab.slider("tile", { label: "Keys in a tile", list: [1, 2, 3, 4, 6, 8, 12], value: 4 });
  lab.slider("pass", { label: "Tiles read", min: 0, max: 48, value: 2, words: v => answer ? `${Math.min(v, answer.passes.length)} of ${answer.passes.length}` : String(v) });
  const button = lab.button("Pass over the keys", () => {
    if (timer) return stop();
    let next = 0;
    button.textContent = "Stop";
    timer = setInterval(() => {
      if (lab.isGone() || !answer || next > answer.passes.length) return stop();
      lab.state.set("pass", next++);
    }, reducesMotion() ? 1200 : 450);
  });
  const stop = () => { clearInterval(timer); timer = undefined; button.textContent = "Pass over the keys"; };

  const S = heat({ name: "S", concept: "key", label: "scores: tiles that were read", axes: (i, j) => `${shown(answer.tokens[i])} asks ${shown(answer.tokens[j])}` });
  const rows = el("div", { class: "running" });
  S.classList.add("square");
  lab.row(S, rows);
  const memory = lab.add(chart({ label: "Memory of one head by context", ratio: 0.42,
    x: { name: "context T", log: true, base: 2, format: v => grouped(v) }, y: { name: "bytes", log: true, base: 2, format: v => bytes(v) } }));
  const facts = lab.add(el("dl", { class: "facts" }));

  function draw() {
    if (!answer) return;
    const read = Math.min(lab.state.get("pass"), answer.passes.length), pass = answer.passes[read - 1];
    const edge = Math.min(read * answer.tile, answer.tokens.length);
    S.show(answer.scores, { hidden: (i, j) => j > i || j >= edge, most: Math.max(...answer.scores.values.map(Math.abs)) });
    const list = [...answer.tokens.keys()].slice(-10);
    rows.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...["query", "m", "ℓ"].map(t => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...list.map(i => el("tr", {}, el("td", {}, el("code", {}, shown(answer.tokens[i]))),
        el("td", {}, pass ? fixed(Number(pass.maxima[i]), 2) : "−∞"), el("td", {}, pass ? fixed(pass.sums[i], 2) : "0"))))));
    facts.replaceChildren(...[
      ["outputs differ from the end by", pass ? significant(pass.difference, 2) : "—", `after ${read} of ${answer.passes.length} tiles`],
      ["at the end, from the exact formula", significant(answer.differenceFromExact, 2), "float64, whole table"],
      ["at the end, from the library's kernel", significant(answer.differenceFromKernel, 2), "float32, its own tiles"],
    ].map(([name, text, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, text, el("small", {}, note)))));
  }
  lab.live("tiled", s => ({ text: s.get("text"), layer: s.get("layer"), head: s.get("head"), tile: s.get("tile") }), value => {
    answer = value;
    memory.show({ lines: [
      { name: "the whole score matrix, 4 T² bytes", concept: "weights", points: value.contexts.map((t, i) => [t, value.whole[i]]) },
      { name: "by tiles: outputs, m, ℓ and one tile", concept: "output", points: value.contexts.map((t, i) => [t, value.byTiles[i]]) },
    ] });
    draw();
  });
  lab.state.onChange(draw);
}
