// Positions as rotations.
import { el, svg } from "../../common/dom.js";
import { significant } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";

export function rotary(lab) {
  lab.slider("m", { label: "Position m of the query", min: 0, max: 23, value: 12 });
  lab.slider("n", { label: "Position n of the key", min: 0, max: 23, value: 4 });
  lab.slider("shift", { label: "Move both by", list: [0, 1, 10, 100, 1000], value: 100, words: v => `${v} positions` });
  lab.slider("base", { label: "Base b", list: [2, 10, 100, 1000, 10000, 100000], value: 100 });
  const clocks = lab.add(el("div", { class: "row clocks" }));
  const grid = heat({ concept: "weights", label: "score of a query at m (rows) and a key at n (columns)",
    axes: (m, n) => `m = ${m}, n = ${n}`, onPick: (m, n) => lab.state.setAll({ m, n }) });
  const facts = el("dl", { class: "facts" });
  grid.classList.add("square");
  lab.row(grid, facts);
  lab.live("rotary", s => ({ m: s.get("m"), n: s.get("n"), shift: s.get("shift"), base: s.get("base"), seed: s.get("seed") ?? 1,
    text: s.get("text"), layer: s.get("layer"), head: s.get("head") }), (value, query) => {
    clocks.replaceChildren(...value.frequencies.map((f, i) => clock(f, value.query[i], value.key[i], i)));
    grid.show(value.grid);
    facts.replaceChildren(...[
      ["score at m, n", significant(value.score, 5), `m − n = ${query.m - query.n}`.replace("-", "−")],
      [`score at m + ${query.shift}, n + ${query.shift}`, significant(value.shifted, 5), "the same, but for rounding"],
      value.modelChange !== undefined && ["the model's weights change by at most", significant(value.modelChange, 2),
        `its text moved by ${query.shift}; its largest weight is ${significant(value.largestModelWeight, 2)}`],
    ].filter(Boolean).map(([name, text, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, text, el("small", {}, note)))));
  }, { seed: s => s.get("seed") ?? 1 });
}

/// A pair of dimensions: the query's hand and the key's.
function clock(frequency, query, key, index) {
  const size = 2.6;
  const hand = ([x, y], concept) => svg("g", { class: `of-${concept}` },
    svg("line", { class: "hand", x1: 0, y1: 0, x2: x, y2: -y }), svg("circle", { class: "tip", cx: x, cy: -y, r: 0.14 }));
  const turns = 2 * Math.PI / frequency;
  return el("figure", {}, svg("svg", { viewBox: `${-size} ${-size} ${2 * size} ${2 * size}`, role: "img",
    "aria-label": `pair ${index + 1}: query and key as hands of a clock` },
    svg("circle", { class: "dial", cx: 0, cy: 0, r: size - 0.2 }), hand(key, "key"), hand(query, "query")),
    el("figcaption", {}, `pair ${index + 1}: a turn in ${significant(turns, 3)}`));
}
