// The stream of each token, and what the output layer reads on it after each layer.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { percent } from "../../common/numbers.js";
import { shown } from "../attention/attend.js";

export const sentence = "The capital of France is Paris. The capital of Italy is";

export function lens(lab) {
  lab.text("text", { label: "A text to continue", value: sentence });
  lab.value("position", 47, text => /^\d{1,2}$/.test(text) && Number(text) < 48 ? Number(text) : undefined);
  const table = lab.add(el("div", { class: "lens", tabindex: "0", role: "region", "aria-label": "Guesses after each layer" }));
  const rises = chart({ label: "Probability of the five final favorites, layer by layer", ratio: 0.46,
    x: { name: "after layer" }, y: { name: "probability", range: [0, 1] } });
  const lengths = chart({ label: "Length of the stream, and of what each layer adds to it", ratio: 0.4,
    x: { name: "after layer" }, y: { name: "length", log: true } });
  lab.add(rises, lengths);

  lab.live("lens", s => ({ text: s.get("text"), position: s.get("position") }), (value, query) => {
    const count = value.tokens.length, position = Math.min(query.position, count - 1);
    const first = Math.max(0, Math.min(position - 5, count - 7)), columns = [...Array(count).keys()].slice(first, first + 7);
    const layers = [...value.guesses.keys()].toReversed();
    table.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "layer"), ...columns.map(i => el("th", { scope: "col" },
        el("button", { type: "button", class: "token", "aria-pressed": String(i === position), onclick: () => lab.state.set("position", i),
          "aria-label": `read the stream of ${shown(value.tokens[i])}` }, shown(value.tokens[i])))))),
      el("tbody", {}, ...layers.map(layer => el("tr", {}, el("th", { scope: "row" }, layer === 0 ? "in" : layer),
        ...columns.map(i => cell(value.guesses[layer][i], value.probabilities[layer][i], i === position)))))));
    const concepts = ["weights", "query", "value", "key", "gradient"];
    rises.show({ lines: value.rises.map((line, k) => ({ name: shown(value.finalists[k]), concept: concepts[k], points: line.map((p, i) => [i, p]) })) });
    lengths.show({ lines: [
      { name: "stream", concept: "ink", points: value.lengths.map((v, i) => [i, v]) },
      { name: "added by the layer", concept: "output", points: value.added.map((v, i) => [i + 1, v]) } ] });
  });
}

function cell(token, probability, isChosen) {
  const td = el("td", { class: isChosen ? "chosen" : "", title: percent(probability, 1) }, shown(token));
  td.style.setProperty("background", `color-mix(in srgb, var(--weights) ${Math.round(36 * probability)}%, transparent)`);
  return td;
}
