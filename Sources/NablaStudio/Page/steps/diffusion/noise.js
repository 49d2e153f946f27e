// Noise by the slider, and what Bayes' theorem says of it.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, percent, significant } from "../../common/numbers.js";
import { dataControls, dataQuery, drawn } from "./data.js";
import { facts, plane, planes } from "./plane.js";

export function noise(lab) {
  const clean = plane({ label: "data x₀" }), noisy = plane({ label: "x₀ with noise" });
  let value, pen;
  dataControls(lab, clean, place => { pen = place; drawClean(); });
  lab.slider("t", { label: "Noise step t", title: "Noise step t", min: 0, max: 999, value: 250, words: v => `${v} of 999` });
  lab.choice("schedule", { label: "How β grows, in this picture", value: "linear", options: { linear: "linear", cosine: "cosine" } });
  lab.toggle("arrows", { label: "arrows of the exact score", value: true });
  lab.add(planes("max(8.5rem, 40%)", clean, noisy));
  const list = lab.add(el("dl", { class: "facts" }));
  const curve = lab.add(chart({ label: "What is left of the data at each step", ratio: 0.3,
    x: { name: "step t", range: [0, 999] }, y: { name: "ᾱ", range: [0, 1] } }));

  function drawClean() {
    const s = lab.state;
    if (s.get("shape") === "drawn") {
      clean.show({ pen, dots: [1, 2].map(ink => ({ points: drawn(s, ink), concept: ink === 1 ? "data" : "key", radius: 3, alpha: 0.9 })) });
    } else if (value) clean.show({ dots: [{ points: value.data, concept: "data" }] });
  }

  function drawNoisy() {
    if (!value) return;
    const s = lab.state, both = s.get("shape") === "drawn" && value.classes.length > 1;
    const dots = both
      ? [0, 1].map(label => ({ points: value.noisy, concept: label ? "key" : "data", alpha: 0.55, only: i => value.labels[i] === label }))
      : [{ points: value.noisy, concept: "noise", alpha: 0.65 }];
    noisy.show({ dots, arrows: s.get("arrows") ? value : undefined });
  }

  lab.state.onChange(() => { drawClean(); drawNoisy(); });
  lab.live("noise", s => {
    const data = dataQuery(s);
    return data && { ...data, t: s.get("t"), schedule: s.get("schedule") };
  }, (answer, query) => {
    value = answer;
    clean.name("data x₀", `1,024 points of the data: ${query.shape}`);
    noisy.name(`xₜ at t = ${query.t}`, `The points with noise of step ${query.t}: ${percent(answer.alphaBar)} of their variance is data`);
    drawClean();
    drawNoisy();
    facts(list, [
      ["ᾱₜ", significant(answer.alphaBar), `β here is ${significant(answer.beta)}`],
      ["√ᾱₜ · data", significant(answer.signal), `+ ${significant(answer.deviation)} · noise`],
      ["signal to noise", significant(answer.signalToNoise), `${fixed(10 * Math.log10(answer.signalToNoise), 1)} dB`],
      ["noise nobody can know", percent(answer.unknown / answer.noisePower), "of E|ε|²; the rest shows"],
    ]);
    curve.show({ lines: [{ concept: "data", points: answer.curve }], dots: [{ concept: "data", radius: 5, points: [[query.t, answer.alphaBar]] }],
      rules: [{ x: query.t }] });
  }, { seed: s => s.get("seed") });
  drawClean();
}
