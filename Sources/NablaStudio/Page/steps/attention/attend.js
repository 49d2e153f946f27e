// One head of one layer, from queries and keys to the output.
import { ask } from "../../common/ask.js";
import { announce, el } from "../../common/dom.js";
import { fixed, percent, significant } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";

export const sentence = "The cat sat on the mat because it was tired.";

export async function attend(lab) {
  const { value: model } = await ask("attention", "model");
  lab.text("text", { label: "A text", value: sentence });
  lab.slider("layer", { label: "Layer", min: 0, max: model.layers - 1, value: Math.min(2, model.layers - 1), words: v => `${v + 1} of ${model.layers}` });
  lab.slider("head", { label: "Head", min: 0, max: model.heads - 1, value: 0, words: v => `${v + 1} of ${model.heads}` });
  lab.slider("temperature", { label: "Temperature", list: [0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10], value: 1, words: v => `× ${v}` });
  lab.toggle("scaled", { label: "divide by √d", value: true });
  lab.toggle("causal", { label: "causal mask", value: true });
  lab.value("row", -1, text => /^\d{1,2}$/.test(text) ? Number(text) : undefined);

  const tokens = lab.add(el("div", { class: "tokens", role: "group", "aria-label": "Tokens: choose who asks" }));
  const said = lab.add(el("p", { class: "said" }));
  const token = i => answer?.tokens[i] ?? "";
  const at = (row, column) => `${shown(token(row))} dimension ${column}`;
  const Q = heat({ name: "Q", concept: "query", label: "queries", axes: at, height: "5.5rem" });
  const K = heat({ name: "K", concept: "key", label: "keys", axes: at, height: "5.5rem" });
  const V = heat({ name: "V", concept: "value", label: "values", axes: at, height: "5.5rem" });
  const O = heat({ name: "O", concept: "output", label: "output", axes: at, height: "5.5rem" });
  const pair = (row, column) => `${shown(token(row))} asks ${shown(token(column))}`;
  const pick = row => lab.state.set("row", row);
  const S = heat({ name: "S", concept: "key", label: "scores before softmax", axes: pair, onPick: pick });
  const W = heat({ name: "W", concept: "weights", label: "weights", signed: false, axes: pair, onPick: pick });
  lab.add(el("div", { class: "quad" }, Q, K, V, O));
  S.classList.add("square");
  W.classList.add("square");
  lab.row(S, W);
  const facts = lab.add(el("dl", { class: "facts" }));
  let answer, isHidden, drawn;

  const chosen = () => {
    const row = lab.state.get("row");
    return row >= 0 && row < answer.tokens.length ? row : Math.max(0, answer.tokens.length - 3);
  };

  /// The chosen row: each token gets as much color as it is listened to.
  function drawRow() {
    if (!answer) return;
    const count = answer.tokens.length, row = chosen();
    drawn = row;
    const weights = answer.weights.values.slice(row * count, (row + 1) * count);
    tokens.replaceChildren(...answer.tokens.map((text, i) => {
      const button = el("button", { type: "button", class: "token", "aria-pressed": String(i === row), onclick: () => pick(i),
        title: `${percent(weights[i], 1)} of the weight` }, shown(text));
      button.style.setProperty("background", `color-mix(in srgb, var(--weights) ${Math.round(70 * Math.sqrt(weights[i]))}%, var(--card))`);
      return button;
    }));
    const names = answer.tokens.map(shown);
    S.show(answer.scores, { hidden: isHidden, rowNames: names, marked: row });
    W.show(answer.weights, { hidden: isHidden, most: 1, rowNames: names, marked: row });
    const order = weights.map((w, i) => [w, i]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    said.replaceChildren(el("b", {}, shown(answer.tokens[row])), " listens to ",
      ...order.flatMap(([w, i], k) => [k ? ", " : "", el("b", {}, shown(answer.tokens[i])), ` ${percent(w)}`]), ".",
      answer.cut > 0 ? ` (${answer.cut} more tokens of the text are left out.)` : "");
    facts.replaceChildren(...[
      ["entropy of this row", `${fixed(answer.entropies[row])} nats`, `of at most ${fixed(answer.largestEntropies[row])}`],
      ["largest weight", percent(Math.max(...weights), 1), "1 means saturated"],
      ["mean entropy, all rows", `${fixed(mean(answer.entropies))} nats`, `of at most ${fixed(mean(answer.largestEntropies))}`],
      ["tiled kernel differs by", significant(answer.tiledDifference, 2), "the library's flash attention, same head"],
    ].flatMap(([name, value, note]) => [el("div", {}, el("dt", {}, name), el("dd", {}, value, el("small", {}, note)))]));
  }

  lab.live("attend", s => ({ text: s.get("text"), layer: s.get("layer"), head: s.get("head"), temperature: s.get("temperature"),
    scaled: s.get("scaled"), causal: s.get("causal") }), (value, query) => {
    answer = value;
    Q.show(value.queries); K.show(value.keys); V.show(value.values); O.show(value.output);
    isHidden = (row, column) => query.causal && column > row;
    drawRow();
    announce(`${value.tokens.length} tokens, layer ${query.layer + 1}, head ${query.head + 1}`);
  });
  lab.state.onChange(() => { if (answer && chosen() !== drawn) drawRow(); });
}

const mean = list => list.reduce((a, b) => a + b, 0) / list.length;

/// A token with its spaces and line ends visible.
export const shown = text => text.replace(/ /g, "·").replace(/\n/g, "⏎").replace(/\t/g, "⇥") || "∅";
