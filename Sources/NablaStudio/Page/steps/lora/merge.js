// An adapter beside the weight and in it.
import { el } from "../../common/dom.js";
import { fixed, significant } from "../../common/numbers.js";
import { declareSeed, facts, layerName, menu, tuneQuery } from "./facts.js";

export function merge(lab) {
  declareSeed(lab);
  const layer = menu(lab, "layer", { label: "Layer" });
  lab.slider("r2", { label: "Rank of the adapters", title: "Rank of the adapters that are merged", list: [1, 2, 4, 8, 16, 32], value: 4 });
  const wide = lab.add(el("div", { style: { "overflow-x": "auto", "margin-bottom": "0.9rem" }, tabindex: "0", role: "group", "aria-label": "Six outputs of the layer" }));
  const list = lab.add(el("dl", { class: "facts" }));
  let names = "";
  lab.live("merge", s => ({ ...tuneQuery(s), r2: s.get("r2"), layer: s.get("layer") }), answer => {
    const joined = answer.layers.join();
    if (names !== joined) { names = joined; layer.fill(answer.layers.map(layerName)); }
    const row = (name, values, note) => el("tr", {}, el("th", { scope: "row", style: { "white-space": "nowrap" } }, name),
      ...values.map(v => el("td", { style: { "text-align": "right" } }, fixed(v, 6))));
    wide.replaceChildren(el("table", {}, el("tbody", {},
      row("W x", answer.frozen), row(`${significant(answer.scale, 2)} · B(A x)`, answer.beside),
      row("their sum", answer.sum), row("(W + sBA) x", answer.merged))));
    facts(list, [
      ["largest difference here", significant(answer.layerDifference, 2), `of outputs up to ${significant(answer.largestOutput)}`],
      ["of the model’s logits", significant(answer.logitDifference, 2), `of logits up to ${significant(answer.largestLogit)}`],
      ["greedy choices that agree", `${answer.agreeing} of ${answer.positions}`],
      ["taken out again", answer.isRestored ? "the same bits" : "other bits", "as before the adapter"],
      ["a pass over 32 characters", `${fixed(answer.milliseconds[2], 2)} ms merged`, `${fixed(answer.milliseconds[1], 2)} beside, ${fixed(answer.milliseconds[0], 2)} without`],
      ["loss on the new text", fixed(answer.lossAfter, 3), `${fixed(answer.lossBefore, 2)} without the adapter`],
    ]);
  }, { seed: s => s.get("seed") });
}
