// The singular values of what fine-tuning changed.
import { ask } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, grouped, percent, significant } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";
import { declareSeed, facts, layerName, menu, tuneControls, tuneQuery } from "./facts.js";

export async function change(lab) {
  const { value: { sources, problems } } = await ask("lora", "sources");
  declareSeed(lab);
  if (problems.length) lab.wrong(problems.join("; "));
  const options = Object.fromEntries(sources.map(s => [s.index, `${s.name} (${s.kind})`]));
  if (sources.length > 1) lab.choice("source", { label: "A fine-tune", value: String(sources[1].index), options });
  else lab.value("source", "-1", text => text in options ? text : undefined);
  const task = tuneControls(lab);
  const matrix = menu(lab, "matrix", { label: "Matrix" });
  lab.slider("rank", { label: "Rank r", list: [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64], value: 4, words: v => v === 0 ? "0: the base" : String(v) });
  const list = lab.add(el("dl", { class: "facts" }));
  const spectrum = chart({ label: "Singular values of ΔW", ratio: 0.62, x: { name: "i" }, y: { name: "σᵢ", log: true } });
  const loss = chart({ label: "Loss of the model with changes of rank r", ratio: 0.62, x: { name: "rank r" }, y: { name: "nats a character" } });
  lab.row(spectrum, loss);
  const whole = heat({ name: "ΔW", concept: "weights", label: "the change" });
  const part = heat({ name: "ΔW", concept: "weights", label: "its approximation" });
  const maps = lab.add(el("div", { class: "pair" }, whole, part));
  const written = lab.add(el("table", {}));

  let names = "";
  lab.live("change", s => {
    const own = s.get("source") === "-1";
    return { source: Number(s.get("source")), matrix: s.get("matrix"), rank: s.get("rank"), ...(own ? tuneQuery(s) : {}) };
  }, (answer, query) => {
    const own = query.source === -1, joined = answer.matrices.map(m => m.name).join();
    if (names !== joined) { names = joined; matrix.fill(answer.matrices.map(m => `${layerName(m.name)} [${m.shape.join(" × ")}]`)); }
    task.hidden = !own;
    const shape = answer.matrices[answer.chosen].shape;
    facts(list, [
      ["energy kept", percent(answer.kept, 1), `of ‖ΔW‖², with ${Math.min(answer.rank, answer.values.length)} of ${answer.values.length}`],
      ["error", percent(answer.error, 1), "‖ΔW − ΔWᵣ‖ / ‖ΔW‖"],
      ["numbers", grouped(answer.rankParameters), `against ${grouped(answer.fullParameters)}`],
      ["90 % of the energy", `rank ${answer.rank90}`, `99 %: rank ${answer.rank99}`],
      answer.quality && ["loss", fixed(answer.quality.atRank, 3), `base ${fixed(answer.quality.base, 2)}, tuned ${fixed(answer.quality.tuned, 3)}`],
    ]);
    const largest = answer.values[0] || 1;
    spectrum.show({
      lines: [{ name: `ΔW of ${layerName(answer.matrices[answer.chosen].name)}`, concept: "weights", points: answer.values.map((v, i) => [i + 1, v]).filter(p => p[1] > largest * 1e-5) },
        ...(answer.random.length ? [{ name: "a random matrix of this norm", concept: "ink", dashed: true, points: answer.random.map((v, i) => [i + 1, v]).filter(p => p[1] > largest * 1e-5) }] : [])],
      areas: answer.rank > 0 ? [{ from: 1, to: Math.min(answer.rank, answer.values.length), concept: "weights" }] : [],
    });
    loss.hidden = maps.hidden = written.hidden = !answer.quality;
    if (!answer.quality) return;
    const { base, tuned, atRank, byRank, samples } = answer.quality;
    loss.show({
      lines: [{ concept: "loss", name: "loss on the new text", points: byRank }],
      dots: [{ concept: "loss", radius: 5.5, points: [[answer.rank, atRank]] }],
      rules: [{ y: tuned, name: "tuned in full" }],
    });
    const most = answer.change.values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    whole.show(answer.change, { most });
    part.show(answer.approximation, { most });
    written.replaceChildren(el("tbody", {}, ...[["the base", samples[0]], [`rank ${answer.rank}`, samples[1]], ["tuned in full", samples[2]]].map(([who, text]) =>
      el("tr", {}, el("th", { scope: "row" }, who), el("td", { style: { font: "0.95rem/1.5 var(--mono)", "overflow-wrap": "anywhere" } }, text.replace(/\n/g, " ⏎ "))))));
    whole.setAttribute("aria-label", `change of shape ${shape.join(" by ")}`);
    lab.root.dataset.base = significant(base);
  }, { seed: s => s.get("source") === "-1" ? s.get("seed") : undefined });
}
