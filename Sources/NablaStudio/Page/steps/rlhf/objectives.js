// The objectives by themselves: the clip, a group, the leash.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, percent } from "../../common/numbers.js";

const facts = entries => entries.map(([name, text, note]) =>
  el("div", {}, el("dt", {}, name), el("dd", {}, text, note && el("small", {}, note))));
const points = (xs, ys) => xs.map((x, i) => [x, ys[i]]);

/// The clipped surrogate, with the ratio to drag.
export function clip(lab) {
  lab.slider("ratio", { label: "Ratio r", min: 0, max: 2.5, step: 0.05, value: 1, words: v => fixed(v, 2) });
  lab.slider("epsilon", { label: "Clip range ε", min: 0.05, max: 0.5, step: 0.05, value: 0.2, words: v => fixed(v, 2) });
  lab.toggle("positive", { label: "Positive advantage", value: true });
  const picture = lab.add(chart({ label: "The clipped surrogate over the ratio", x: { name: "ratio r" }, y: { name: "objective" } }));
  const list = lab.add(el("dl", { class: "facts" }));
  lab.live("clip", s => ({ ratio: s.get("ratio"), epsilon: s.get("epsilon"), positive: s.get("positive") ? 1 : 0 }), (value, query) => {
    picture.show({
      lines: [
        { name: "without the clip", concept: "ink", dashed: true, points: points(value.ratios, value.unclipped) },
        { name: "clipped", concept: "reward", points: points(value.ratios, value.surrogate) },
      ],
      dots: [{ name: "r", concept: "model", points: [[Number(lab.state.get("ratio")), value.value]], radius: 7,
        onDrag: (_, x) => lab.state.set("ratio", Math.round(Math.max(0, Math.min(2.5, x)) * 20) / 20) }],
    });
    list.replaceChildren(...facts([["objective", fixed(value.value, 3)],
      ["gradient", fixed(value.gradient, 2), value.gradient === 0 ? "the clip holds" : "it moves the policy"]]));
  });
}

/// Six rewards and the advantages that follow.
export function group(lab) {
  lab.value("rewards", "", text => /^[-0-9.,]+$/.test(text) ? text : undefined);
  const sliders = lab.add(el("div", { class: "controls" }));
  const table = lab.add(el("table", {}));
  const note = lab.add(el("p", { class: "readout", "aria-live": "polite" }));
  const inputs = [];
  let answer;
  lab.live("group", s => ({ rewards: s.get("rewards") || undefined }), value => {
    answer = value;
    if (inputs.length === 0) {
      value.rewards.forEach((reward, i) => {
        const output = el("output", {});
        const input = el("input", { type: "range", min: -1, max: 2, step: 0.1, oninput: () => {
          const rewards = [...answer.rewards];
          rewards[i] = Number(input.value);
          lab.state.set("rewards", rewards.join(","));
        } });
        inputs.push([input, output]);
        sliders.append(el("label", { class: "slider" }, el("span", {}, `reward of completion ${i + 1}`), output, input));
      });
    }
    inputs.forEach(([input, output], i) => {
      if (document.activeElement !== input) input.value = value.rewards[i];
      output.textContent = fixed(value.rewards[i], 1);
      input.setAttribute("aria-valuetext", fixed(value.rewards[i], 1));
    });
    table.replaceChildren(
      el("tr", {}, ...["completion", "reward", "Â, GRPO", "Â, Dr. GRPO"].map(name => el("th", { scope: "col" }, name))),
      ...value.rewards.map((reward, i) => el("tr", {}, el("th", { scope: "row" }, String(i + 1)),
        ...[fixed(reward, 1), fixed(value.advantages[i], 2), fixed(value.centered[i], 2)].map(text => el("td", {}, text)))));
    note.textContent = value.isFlat
      ? "All rewards are equal: every advantage is 0."
      : `The mean reward is ${fixed(value.mean, 2)}.`;
  });
}

/// Reward against divergence as β changes.
export function leash(lab) {
  lab.slider("leash", { label: "β", min: -1.3, max: 0.7, step: 0.1, value: -0.3, words: v => fixed(10 ** v, 2) });
  const picture = lab.add(chart({ label: "Expected reward against the divergence from the reference",
    x: { name: "KL(π ‖ π_ref) (nats)" }, y: { name: "expected reward" } }));
  const list = lab.add(el("dl", { class: "facts" }));
  const table = lab.add(el("table", {}));
  lab.live("leash", s => ({ beta: Number((10 ** s.get("leash")).toPrecision(6)) }), value => {
    picture.show({
      lines: [{ name: "every β", concept: "model", points: points(value.divergences, value.frontier) }],
      dots: [{ name: "this β", concept: "reward", points: [[value.divergence, value.reward]], radius: 7 }],
    });
    list.replaceChildren(...facts([["expected reward", fixed(value.reward, 3)], ["KL", fixed(value.divergence, 3), "nats"]]));
    table.replaceChildren(
      el("tr", {}, ...["completion", "reward", "reference", "policy"].map(name => el("th", { scope: "col" }, name))),
      ...value.names.map((name, i) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, fixed(value.rewards[i], 1)),
        ...[value.reference[i], value.policy[i]].map(p => el("td", {}, percent(p, 1).replace(" ", "\u00a0"))))));
  });
}
