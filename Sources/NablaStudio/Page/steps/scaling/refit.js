// A law fitted to the cheaper runs of a sweep, and what it says of the others.
import { ask } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { el, facts } from "../../common/dom.js";
import { fixed, percent, powerOfTen, significant } from "../../common/numbers.js";

export async function refit(lab) {
  const { value: table } = await ask("scaling", "table");
  for (const problem of table.problems) lab.add(el("p", { class: "note" }, problem));
  if (table.runs.length === 0) {
    lab.add(el("p", {}, "There are no runs to fit here. This trains twenty-one small models in eight minutes, and the next visit finds them:"),
      el("p", {}, el("code", {}, "nabla scaling sweep Documentation Sources --budget 8m")));
    return;
  }
  lab.slider("kept", { label: "The law sees the cheapest", min: 8, max: table.runs.length, value: table.kept, words: v => `${v} of ${table.runs.length} runs` });
  const picture = lab.add(chart({ label: "Loss over compute: runs, and the law's best split", x: { name: "compute, FLOP", log: true, format: powerOfTen }, y: { name: "loss (nats a token)", log: true }, ratio: 0.62 }));
  const list = lab.add(el("dl", { class: "facts" }));
  lab.add(el("p", { class: "note" }, table.isOwn ? `Your sweep in ${table.source}; ${table.hasTest ? "its last run is the test that the sweep predicted." : "its test has not been trained yet."}`
    : `${table.source}. A sweep of your own takes their place here: nabla scaling sweep, then nabla studio --run with its folder.`));
  lab.live("refit", s => ({ kept: s.get("kept") }), (value, { kept }) => {
    const dots = runs => runs.map(r => [r.compute, r.loss]);
    picture.show({
      lines: [{ name: "the fit: best split of each budget", concept: "model", points: value.envelope }],
      dots: [{ name: "runs that the law has seen", concept: "data", points: dots(table.runs.slice(0, kept)), radius: 3.2 },
        { name: "runs that it has not seen", concept: "loss", points: dots(table.runs.slice(kept)), radius: 3.2 }],
      rules: [{ x: value.limit * 1.02 }],
    });
    const ratio = value.ratio.at(-1);
    facts(list, [
      value.error !== undefined && ["predicts the unseen within", percent(value.error, 2), "on average; seen runs " + percent(value.fitError, 2)],
      value.error === undefined && ["it has seen every run", percent(value.fitError, 2), "mean distance of runs from the law"],
      ["E, the floor", fixed(value.law.E, 3), "nats that remain"],
      ["α, β", `${fixed(value.law.alpha, 3)}, ${fixed(value.law.beta, 3)}`, `A ${significant(value.law.A, 3)}, B ${significant(value.law.B, 3)}`],
      value.hasOptimum && ["N* grows as", `C^${fixed(value.law.parameterExponent, 3)}`, ratio && `${significant(ratio[1], 2)} tokens a parameter at ${significant(ratio[0], 2)} FLOP`],
      !value.hasOptimum && ["no best split", "—", "these runs do not show the loss fall with both N and D"],
    ]);
  });
}
