// The plane of parameters and tokens: contours of the loss, the best path, a budget, and models that were trained.
import { chart } from "../../common/chart.js";
import { el, facts } from "../../common/dom.js";
import { fixed, scaled, significant } from "../../common/numbers.js";

const N = { name: "parameters N", log: true, range: [1e6, 1e13], format: scaled };
const D = { name: "tokens D", log: true, range: [1e7, 3e14], format: scaled };

export function budget(lab) {
  lab.slider("compute", { label: "Compute C", min: 16, max: 27, step: 0.02, value: 23.76, words: v => `${significant(10 ** v, 3)} FLOP` });
  lab.choice("law", { label: "Constants", value: "besiroglu", options: { besiroglu: "Besiroglu et al. 2024", hoffmann: "Hoffmann et al. 2022" } });
  const picture = lab.add(chart({ label: "Loss over parameters and tokens: each gray line is one loss", x: N, y: D, ratio: 0.72 }));
  const said = lab.add(el("p", { class: "said" }));
  const list = lab.add(el("dl", { class: "facts" }));
  const valley = lab.add(chart({ label: "A cut along the budget: the loss of every size that 6ND = C allows", x: { name: "parameters N", log: true, format: scaled }, y: { name: "loss" }, ratio: 0.36 }));
  const table = lab.add(el("details", {}, el("summary", {}, "The models, and where their numbers come from"), el("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Published models" })));
  const budgetOf = model => Math.round(50 * Math.log10(model.compute)) / 50;

  const rows = new Map();   // of the table, by model
  let plane, best;

  lab.live("plane", s => ({ law: s.get("law") }), value => { plane = value; fillTable(); draw(); });
  lab.live("budget", s => ({ compute: s.get("compute"), law: s.get("law") }), value => { best = value; draw(); });

  function draw() {
    if (!plane || !best) return;
    const compute = lab.state.get("compute");
    picture.show({
      lines: [
        ...plane.contours.map((contour, i) => ({ name: i ? undefined : "equal loss", concept: "muted", faint: true, points: contour.points })),
        { name: "Kaplan's best split", concept: "key", dashed: true, points: plane.kaplanPath },
        { name: "best split", concept: "model", points: plane.path },
        { name: "this budget", concept: "query", points: N.range.map(n => [n, best.compute / (6 * n)]) },
      ],
      dots: [
        { name: "trained models", concept: "value", points: plane.published.map(m => [m.parameters, m.tokens]), names: plane.published.map(m => m.name) },
        { name: "the best of this budget", concept: "loss", points: [[best.parameters, best.tokens]], radius: 5.5 },
        { concept: "muted", points: plane.contours.map(c => c.crossing), names: plane.contours.map(c => significant(c.loss, 3)), radius: 0 },
      ],
    });
    facts(list, [
      ["parameters N*", scaled(best.parameters), `N* ∝ C^${fixed(plane.law.parameterExponent, 2)}`],
      ["tokens D*", scaled(best.tokens), `D* ∝ C^${fixed(plane.law.tokenExponent, 2)}`],
      ["tokens a parameter", significant(best.tokens / best.parameters, 3), "the rule of thumb says 20"],
      ["loss", fixed(best.loss, 3), `of which ${fixed(plane.law.E, 2)} nobody can avoid`],
      ["compute", `${significant(best.petaflopDays, 3)} PF-days`, "one is 8.64·10¹⁹ FLOP"],
    ]);
    const spenders = plane.published.filter(m => budgetOf(m) === compute);
    valley.show({
      lines: [{ concept: "query", points: best.sizes.map((n, i) => [n, best.losses[i]]) }],
      dots: [{ concept: "loss", points: [[best.parameters, best.loss]], radius: 6 },
        { concept: "value", points: spenders.map(m => [m.parameters, m.loss]), names: spenders.map(m => m.name) }],
    });
    const model = spenders[0];
    said.replaceChildren(...(model ? [el("b", {}, model.name), ` spent this budget on ${scaled(model.parameters)} parameters and ${scaled(model.tokens)} tokens: `,
      `loss ${fixed(model.loss, 3)} by this law. The best split is ${scaled(model.best.parameters)} and ${scaled(model.best.tokens)}: loss ${fixed(model.best.loss, 3)}.`]
      : ["Choose a model in the table below to see its budget, and what this law makes of it."]));
    for (const [name, row] of rows) {
      row.classList.toggle("chosen", name === model?.name);
      row.querySelector("button").setAttribute("aria-pressed", String(name === model?.name));
    }
  }

  function fillTable() {
    rows.clear();
    for (const m of plane.published) {
      const cells = [scaled(m.parameters), scaled(m.tokens), significant(m.compute, 3), significant(m.tokens / m.parameters, 3), fixed(m.loss, 3),
        `${scaled(m.best.parameters)}, ${scaled(m.best.tokens)}: ${fixed(m.best.loss, 3)}`, m.source];
      rows.set(m.name, el("tr", {},
        el("th", { scope: "row" }, el("button", { type: "button", class: "hop", onclick: () => lab.state.set("compute", budgetOf(m)) }, m.name)),
        ...cells.map(text => el("td", {}, text))));
    }
    table.lastChild.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, ...["model", "N", "D", "6ND", "D / N", "loss by this law", "best for its compute", "source"].map(t => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...rows.values())));
  }
}
