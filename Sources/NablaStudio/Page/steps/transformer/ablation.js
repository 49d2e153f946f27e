// A part of the model left out, and what that costs.
import { ask } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed } from "../../common/numbers.js";

export async function ablation(lab) {
  const { value: model } = await ask("attention", "model");
  lab.slider("skip", { label: "Leave out layer", min: -1, max: model.layers - 1, value: -1, words: v => v < 0 ? "none" : `${v + 1} of ${model.layers}` });
  lab.toggle("residuals", { label: "residual connections", value: true });
  lab.toggle("norms", { label: "norms", value: true });
  const facts = lab.add(el("dl", { class: "facts" }));
  const picture = lab.add(chart({ label: "Loss of this text with one layer left out", ratio: 0.42, x: { name: "layer left out" }, y: { name: "loss (nats a token)" } }));
  let each;
  lab.live("ablation", s => ({ text: s.get("text"), each: true }), value => { each = value; draw(); });
  lab.live("ablation", s => ({ text: s.get("text"), skip: s.get("skip"), residuals: s.get("residuals"), norms: s.get("norms") }), value => {
    facts.replaceChildren(...[
      ["loss of the whole model", fixed(value.whole, 3), "nats a token"],
      ["loss as it is now", fixed(value.switched, 3), `${value.switched >= value.whole ? "+" : ""}${fixed(value.switched - value.whole, 3)}`],
      ["a model that knows nothing", fixed(value.uniform, 2), "ln V"],
    ].map(([name, text, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, text, el("small", {}, note)))));
  });
  function draw() {
    if (!each) return;
    const chosen = lab.state.get("skip");
    picture.show({
      lines: [{ concept: "loss", faint: true, points: each.without.map((v, i) => [i + 1, v]) }],
      dots: [{ name: "one layer left out", concept: "loss", points: each.without.map((v, i) => [i + 1, v]) }],
      rules: [{ y: each.whole, name: "the whole model" }, ...(chosen >= 0 ? [{ x: chosen + 1 }] : [])],
    });
  }
  lab.state.onChange(draw);
}
