// What attention and feed-forward take, measured on this computer.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, grouped, significant } from "../../common/numbers.js";

export function cost(lab) {
  lab.slider("wide", { label: "Width C", list: [64, 128, 256, 512], value: 256 });
  const picture = lab.add(chart({ label: "Milliseconds by context", x: { name: "context T", log: true, base: 2, format: v => grouped(v) }, y: { name: "milliseconds", log: true, format: v => String(v) } }));
  const facts = lab.add(el("dl", { class: "facts" }));
  lab.live("cost", s => ({ width: s.get("wide") }), value => {
    const points = list => value.contexts.map((t, i) => [t, list[i]]);
    picture.show({
      lines: [
        { name: "attention: scores, softmax, weighted sums", concept: "weights", points: points(value.mixing) },
        { name: "feed-forward", concept: "output", points: points(value.feedForward) },
      ],
      rules: [{ x: value.crossing, name: "equal by count" }],
    });
    const slope = list => Math.log2(list.at(-1) / list.at(-2));
    const rate = (operations, time) => significant(operations.at(-1) / time.at(-1) / 1e6, 3);
    facts.replaceChildren(...[
      ["slope of attention, last doubling", fixed(slope(value.mixing)), "2 by count"],
      ["slope of feed-forward", fixed(slope(value.feedForward)), "1 by count"],
      ["attention at the longest", `${rate(value.mixingOperations, value.mixing)} GFLOP/s`, `T = ${grouped(value.contexts.at(-1))}`],
      ["feed-forward at the longest", `${rate(value.feedForwardOperations, value.feedForward)} GFLOP/s`, "float32"],
    ].map(([name, text, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, text, el("small", {}, note)))));
  });
}
