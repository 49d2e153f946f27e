// Step 6: scaling laws.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, percent, scaled, significant } from "../../common/numbers.js";

/// Six models whose losses the reader drags, and the line through them.
export function fit(lab) {
  lab.value("losses", "", text => /^[0-9.,]+$/.test(text) ? text : undefined);
  const picture = lab.add(chart({ label: "Loss of six models, and the power law through them",
    x: { name: "parameters N", log: true, range: [4e5, 2.5e11] }, y: { name: "loss (nats a token)", log: true, range: [1, 10] } }));
  const facts = lab.add(el("dl", { class: "facts" }));
  const sliders = lab.add(el("div", { class: "controls" }));
  const inputs = [];
  let answer;

  const move = (index, loss) => {
    const losses = [...answer.losses];
    losses[index] = Math.round(Math.max(1, Math.min(10, loss)) * 1000) / 1000;
    lab.state.set("losses", losses.join(","));
  };

  lab.live("fit", s => ({ losses: s.get("losses") || undefined }), value => {
    answer = value;
    const points = list => value.sizes.map((size, i) => [size, list[i]]);
    picture.show({
      lines: [{ name: "the fitted power law", concept: "model", points: points(value.fitted) }],
      dots: [{ name: "models (drag them)", concept: "data", points: points(value.losses), radius: 7, onDrag: (i, x, y) => move(i, y) }],
    });
    facts.replaceChildren(...[
      ["exponent α", fixed(-value.exponent, 4), "published: 0.076"],
      ["ten times the parameters", percent(10 ** value.exponent - 1, 1), "of the loss"],
      ["explained", percent(value.explained, 2), "of the variance of log L"],
    ].map(([name, text, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, text, el("small", {}, note)))));
    if (inputs.length === 0) {
      value.sizes.forEach((size, i) => {
        const input = el("input", { type: "range", min: 1, max: 10, step: 0.01, oninput: () => move(i, Number(input.value)) });
        const output = el("output", {});
        inputs.push([input, output]);
        sliders.append(el("label", { class: "slider" }, el("span", {}, `loss at ${scaled(size)}`), output, input));
      });
    }
    inputs.forEach(([input, output], i) => {
      if (document.activeElement !== input) input.value = value.losses[i];
      output.textContent = fixed(value.losses[i], 2);
      input.setAttribute("aria-valuetext", `${fixed(value.losses[i], 2)} nats`);
    });
  });
}

/// A compute budget and its best split.
export function budget(lab) {
  lab.slider("compute", { label: "Compute", min: 16, max: 27, step: 0.02, value: 23.76, words: v => `${significant(10 ** v, 3)} FLOP` });
  const valley = lab.add(chart({ label: "Loss by size, all for this budget", x: { name: "parameters N", log: true }, y: { name: "loss" } }));
  const facts = lab.add(el("dl", { class: "facts" }));
  lab.live("budget", s => ({ compute: s.get("compute") }), value => {
    valley.show({
      lines: [{ concept: "model", name: "what 6ND = C allows", points: value.sizes.map((n, i) => [n, value.losses[i]]) }],
      dots: [{ concept: "loss", name: "the best split", points: [[value.parameters, value.loss]], radius: 6 }],
    });
    facts.replaceChildren(...[
      ["parameters N", scaled(value.parameters)], ["tokens D", scaled(value.tokens)],
      ["tokens a parameter", significant(value.tokens / value.parameters)], ["loss", fixed(value.loss, 3)],
    ].map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
  });
}
