// Six models whose losses the reader drags, and the power law through them.
import { chart } from "../../common/chart.js";
import { el, facts } from "../../common/dom.js";
import { fixed, percent, scaled } from "../../common/numbers.js";

export function fit(lab) {
  lab.value("losses", "", text => /^[0-9.,]+$/.test(text) ? text : undefined);
  lab.toggle("floor", { label: "a floor under all losses: L∞", value: false });
  const picture = lab.add(chart({ label: "Loss of six models, and the power law through them",
    x: { name: "parameters N", log: true, range: [4e5, 2.5e11] }, y: { name: "loss (nats a token)", log: true, range: [1, 10] } }));
  const list = lab.add(el("dl", { class: "facts" }));
  const sliders = lab.add(el("div", { class: "controls" }));
  const inputs = [];
  let answer;

  const move = (index, loss) => {
    const losses = [...answer.losses];
    losses[index] = Math.round(Math.max(1, Math.min(10, loss)) * 1000) / 1000;
    lab.state.set("losses", losses.join(","));
  };

  lab.live("fit", s => ({ losses: s.get("losses") || undefined, floor: s.get("floor") || undefined }), value => {
    answer = value;
    const points = losses => value.sizes.map((size, i) => [size, losses[i]]);
    picture.show({
      lines: [{ name: "the fitted power law", concept: "model", points: value.curve }],
      dots: [{ name: "models (drag them)", concept: "data", points: points(value.losses), radius: 7, onDrag: (i, x, y) => move(i, y) }],
    });
    facts(list, [
      ["exponent α", fixed(-value.exponent, 4), "published: 0.076"],
      ["ten times the parameters", percent(10 ** value.exponent - 1, 1), value.floor ? "of the loss above the floor" : "of the loss"],
      value.floor > 0 && ["floor L∞", `${fixed(value.floor, 2)} nats`, "no model of this kind gets below"],
      ["explained", percent(value.explained, 2), "of the variance of log L"],
    ]);
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
