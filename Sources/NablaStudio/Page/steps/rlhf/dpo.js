// DPO: its loss over the margin, and a few steps of it on the reader's own choice.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, grouped, percent } from "../../common/numbers.js";
import { facts } from "../diffusion/plane.js";
import { declare, ranked, shown } from "./pairs.js";

const points = (xs, ys) => xs.map((x, i) => [x, ys[i]]);

export function preference(lab) {
  declare(lab);
  lab.slider("beta", { label: "β", min: 0.05, max: 1, step: 0.05, value: 0.1, words: v => fixed(v, 2) });
  const picture = chart({ label: "Loss of a pair by its margin", ratio: 0.7, x: { name: "margin Δ (nats)" }, y: { name: "loss (nats)" } });
  const pulls = chart({ label: "Pull on the pair", ratio: 0.7, x: { name: "margin Δ (nats)" }, y: { name: "−dL/dΔ" } });
  lab.row(picture, pulls);
  const list = lab.add(el("dl", { class: "facts" }));
  const own = lab.add(el("p", { class: "said" }));
  const course = lab.add(chart({ label: "Twelve steps of DPO on your last choice", ratio: 0.42, x: { name: "step" }, y: { name: "ln π/π_ref (nats)" } }));
  const table = lab.add(el("table", {}));
  let curves, tuned;

  lab.live("preference", s => ({ beta: s.get("beta") }), value => { curves = value; draw(); });
  lab.live("tune", s => { const q = question(s); return q && { ...q, beta: s.get("beta") }; }, value => { tuned = value; draw(); },
    { seed: s => s.get("seed") });
  lab.state.onChange(draw);
  draw();

  /// The last pair that the reader ranked.
  function question(state) {
    const now = ranked(state), index = now ? Math.max(now.choices.lastIndexOf("a"), now.choices.lastIndexOf("b")) : -1;
    return index < 0 ? undefined : { seed: now.seed, index, first: now.choices[index] === "a" };
  }

  function draw() {
    const chosen = question(lab.state);
    own.textContent = chosen ? "" : "Rank a pair above, and DPO learns from your choice here.";
    own.hidden = Boolean(chosen);
    const steps = chosen && tuned?.steps;
    course.hidden = table.hidden = !steps;
    if (curves) {
      const [from, to] = [curves.margins[0], curves.margins.at(-1)];
      const place = (name, y) => steps ? [{ name, concept: "model", points: steps.filter(s => s.margin >= from && s.margin <= to).map(s => [s.margin, y(s)]), radius: 3.5 }] : [];
      const beta = lab.state.get("beta");
      picture.show({ lines: [{ name: "loss", concept: "loss", points: points(curves.margins, curves.losses) }], dots: place("your pair, step by step", s => s.loss) });
      pulls.show({ lines: [{ name: "pull β·σ(−βΔ)", concept: "gradient", points: points(curves.margins, curves.pulls) }], dots: place("your pair", s => beta * s.weight) });
    }
    if (!steps) {
      const at = margin => curves.margins.indexOf(margin);
      if (curves) facts(list, [["at Δ = 0", fixed(curves.losses[at(0)], 4), "ln 2"], ["at Δ = 10", percent(curves.probabilities[at(10)], 1), "preferred"],
        ["pull at Δ = −30", fixed(curves.pulls[at(-30)], 3), "at most β"]]);
      return;
    }
    const last = steps.at(-1), beta = lab.state.get("beta");
    facts(list, [
      ["margin Δ after 12 steps", `${fixed(last.margin, 1)} nats`, `first step: ${fixed(steps[1].margin, 1)}`],
      ["implicit reward", `${fixed(beta * last.chosen)} | ${fixed(beta * last.rejected)}`, "β ln π/π_ref: chosen | rejected"],
      ["weight σ(−βΔ)", `${fixed(steps[0].weight)} → ${fixed(last.weight)}`, "of the gradient, first and last"],
    ]);
    course.show({
      lines: [{ name: "chosen", concept: "reward", points: steps.map((s, i) => [i, s.chosen]) }, { name: "rejected", concept: "noise", points: steps.map((s, i) => [i, s.rejected]) },
        { name: "margin Δ", concept: "model", dashed: true, points: steps.map((s, i) => [i, s.margin]) }],
      rules: [{ y: 0 }],
    });
    course.say(`Trained: ${grouped(tuned.parameters)} numbers that are added to the last hidden state of every token.`);
    table.replaceChildren(el("tr", {}, ...["", "ln π_ref", "tokens", "ln π/π_ref"].map(name => el("th", { scope: "col" }, name))),
      ...[["chosen", tuned.chosen, last.chosen], ["rejected", tuned.rejected, last.rejected]].map(([name, side, ratio]) => el("tr", {},
        el("th", { scope: "row" }, name, el("br"), el("small", {}, shown({ text: side.text.slice(0, 60), isCut: side.text.length > 60 }))),
        el("td", {}, fixed(side.reference, 1)), el("td", {}, String(side.tokens)), el("td", {}, fixed(ratio, 1)))));
  }
}
