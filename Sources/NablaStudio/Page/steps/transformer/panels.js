// The chapter's panels for the model and a text.
import { ask } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { bytes, grouped, percent } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";
import { shown } from "../attention/attend.js";

export async function panels(lab) {
  const { value: model } = await ask("attention", "model");
  lab.slider("layer", { label: "Layer", min: 0, max: model.layers - 1, value: Math.min(2, model.layers - 1), words: v => `${v + 1} of ${model.layers}` });
  lab.slider("head", { label: "Head", min: 0, max: model.heads - 1, value: 0, words: v => `${v + 1} of ${model.heads}` });
  let tokens = [];
  const W = heat({ name: "W", concept: "weights", label: "attention of the head", signed: false, axes: (i, j) => `${shown(tokens[i] ?? "")} asks ${shown(tokens[j] ?? "")}` });
  const positions = heat({ concept: "query", label: "position table", axes: (i, j) => `position ${i}, pair ${j + 1}`, height: "13rem" });
  const heads = chart({ label: "Heads of the layer", x: { name: "head" }, y: { name: "weight", range: [0, 1] } });
  const entropy = chart({ label: "Entropy by layer", x: { name: "layer" }, y: { name: "nats" } });
  const sparsity = chart({ label: "Share of weights below 0.01", x: { name: "layer" }, y: { name: "share", range: [0, 1] } });
  lab.row(W, positions);
  lab.add(el("div", { class: "pair" }, heads, entropy, sparsity));
  const facts = lab.add(el("dl", { class: "facts" }));
  lab.live("panels", s => ({ text: s.get("text"), layer: s.get("layer"), head: s.get("head") }), value => {
    tokens = value.tokens;
    const line = list => list.map((v, i) => [i + 1, v]);
    W.show(value.attention, { hidden: (i, j) => j > i, most: 1 });
    positions.show(value.positions);
    heads.show({ dots: [{ name: "largest of a row (mean)", concept: "weights", points: line(value.headPeaks) }, { name: "mean", concept: "muted", points: line(value.headMeans) }] });
    entropy.show({ lines: [{ concept: "weights", points: line(value.entropies) }] });
    sparsity.show({ lines: [{ concept: "weights", points: line(value.sparsity) }] });
    facts.replaceChildren(...[
      ["parameters", grouped(value.parameters), `${bytes(value.parameterBytes)} in float32`],
      ["activations of the stream", bytes(value.activationBytes), `one layer, ${value.tokens.length} tokens`],
      ["sparsity, all layers", percent(value.sparsity.reduce((a, b) => a + b, 0) / value.sparsity.length), "of the weights below 0.01"],
    ].map(([name, text, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, text, el("small", {}, note)))));
  });
}
