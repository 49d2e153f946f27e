// C = 6ND by hand: a model and its tokens, the operations, and how long they take.
import { el, facts } from "../../common/dom.js";
import { percent, scaled, significant, time } from "../../common/numbers.js";

export function hand(lab) {
  lab.quantity("parameters", { label: "Parameters N", min: 1e3, max: 1e15, value: 175e9 });
  lab.quantity("tokens", { label: "Tokens D", min: 1e3, max: 1e17, value: 300e9 });
  lab.slider("utilization", { label: "Share of the rate that training reaches", list: [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1], value: 0.4, words: v => percent(v) });
  const sum = lab.add(el("p", { class: "sum" }));
  const list = lab.add(el("dl", { class: "facts" }));
  const times = lab.add(el("table", {}));
  lab.live("hand", s => ({ parameters: s.get("parameters"), tokens: s.get("tokens"), utilization: s.get("utilization") }), value => {
    sum.replaceChildren("6 × ", el("b", { class: "of-model" }, scaled(value.parameters)), " × ", el("b", { class: "of-data" }, scaled(value.tokens)),
      " = ", el("b", {}, `${significant(value.compute, 3)} FLOP`));
    facts(list, [
      ["forward, 2ND", significant(value.forward, 3), "multiply and add, each weight, each token"],
      ["backward, 4ND", significant(value.backward, 3), "gradients of activations and of weights"],
      ["in PF-days", significant(value.petaflopDays, 3), "days at 10¹⁵ FLOP a second"],
      ["tokens a parameter", significant(value.tokensPerParameter, 3), `the best split of this compute: ${scaled(value.best.parameters)} on ${scaled(value.best.tokens)}`],
    ]);
    times.replaceChildren(el("thead", {}, el("tr", {}, ...["on", "its rate of matrix multiplication", "an estimate of the time"].map(t => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...value.times.map(t => el("tr", {}, el("th", { scope: "row" }, t.name),
        el("td", {}, `${rate(t.rate)}FLOP/s`, el("small", { class: "beneath" }, t.source)), el("td", {}, el("b", {}, `≈ ${time(t.seconds)}`))))));
  });
}

/// 440 G, 989 T.
function rate(x) {
  const [size, unit] = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"]].find(([size]) => x >= size) ?? [1e6, "M"];
  return `${significant(x / size, 3)} ${unit}`;
}
