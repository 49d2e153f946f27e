// A class, exaggerated.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, percent, significant } from "../../common/numbers.js";
import { declare, modelQuery } from "./data.js";
import { training } from "./learn.js";
import { facts, plane, whenSeen } from "./plane.js";

export function guidance(lab) {
  declare(lab);
  let isSeen = false, classes = 0, names = [];
  whenSeen(lab, () => { isSeen = true; lab.state.changed(); });
  lab.slider("class", { label: "Class", min: 0, max: 7, value: 0, words: v => names[v % names.length] ?? `class ${v + 1}` });
  lab.slider("w", { label: "Guidance w", min: 0, max: 10, step: 0.25, value: 2, words: v => `${v}${v === 0 ? ": class ignored" : v === 1 ? ": as learned" : ""}` });
  const picture = plane({ label: "samples of the class" });
  const list = el("dl", { class: "facts" });
  const curve = chart({ label: "What guidance buys, and what it costs", ratio: 0.7, x: { name: "guidance w", range: [0, 10] }, y: { name: "share", range: [0, 1.25] } });
  lab.row(picture, el("div", {}, list, curve));
  lab.live("guidance", s => {
    const model = modelQuery(s);
    return model && isSeen && !training.isGoingOn ? { ...model, class: s.get("class"), w: s.get("w") } : undefined;
  }, (answer, query) => {
    names = answer.classes;
    const input = lab.controls.querySelector("input[name=class]");
    input.max = Math.max(0, names.length - 1);
    input.disabled = names.length < 2;
    const label = query.class % names.length;
    input.closest("label").querySelector("output").textContent = names[label];
    input.setAttribute("aria-valuetext", names[label]);
    if (classes !== names.length) { classes = names.length; input.value = label; }
    picture.name(`300 samples of “${names[label]}”`, `300 samples of ${names[label]} with guidance ${query.w}: ${percent(answer.share)} lie in the class`);
    picture.show({ dots: [
      { points: answer.data, concept: "noise", alpha: 0.25, only: i => answer.labels[i] !== label },
      { points: answer.data, concept: "data", alpha: 0.4, only: i => answer.labels[i] === label },
      { points: answer.samples, concept: "model", radius: 2.1, alpha: 0.8 }] });
    facts(list, [["in the class", percent(answer.share)], ["spread", significant(answer.spread), `the class’s data: ${significant(answer.spreadOfData)}`]]);
    curve.show({
      lines: [{ name: "share in the class", concept: "model", points: answer.curve.map(p => [p[0], p[1]]) },
        { name: "spread, 1 = that of the data", concept: "noise", points: answer.curve.map(p => [p[0], p[2]]) }],
      rules: [{ x: query.w, name: `w = ${fixed(query.w, 2).replace(/\.?0+$/, "")}` }],
    });
    lab.wrong(names.length < 2 ? "There is one class only: draw with both inks, or choose another shape above." : undefined);
  }, { seed: s => s.get("seed") });
}
