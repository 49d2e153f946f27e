// Full fine-tuning and LoRA beside each other.
import { recording } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { announce, el } from "../../common/dom.js";
import { fixed, grouped, percent } from "../../common/numbers.js";
import { declareSeed, facts, tuneControls, tuneQuery } from "./facts.js";

/// Calls `seen` once, when the reader comes to the laboratory.
function whenSeen(lab, seen) {
  const observer = new IntersectionObserver(entries => {
    if (!entries.some(entry => entry.isIntersecting)) return;
    observer.disconnect();
    if (!lab.isGone()) seen();
  });
  observer.observe(lab.root);
}

export function race(lab) {
  declareSeed(lab);
  tuneControls(lab);
  lab.slider("r2", { label: "Rank of the adapters", list: [1, 2, 4, 8, 16, 32], value: 4 });
  lab.slider("seed", { label: "Seed", min: 0, max: 999, value: 1 });
  const start = lab.button("Race", () => { if (job) stop(); else begin(); });
  start.classList.add("primary");
  const pause = lab.button("Pause", () => { isPaused = !isPaused; job?.control({ paused: isPaused }); enable(); });
  const curve = lab.add(chart({ label: "Loss on the text they are tuned on", ratio: 0.42, x: { name: "step" }, y: { name: "nats a character" } }));
  const list = lab.add(el("dl", { class: "facts" }));
  const written = lab.add(el("table", {}));
  const said = lab.add(el("p", { class: "note" }));
  let job, isPaused = false, isDirty = false, late, asked, isSeen = false;
  let full = [], low = [], model, samples, losses, phase = "";
  const key = () => JSON.stringify([tuneQuery(lab.state), lab.state.get("r2")]);
  enable();
  whenSeen(lab, () => { isSeen = true; begin(); });
  lab.state.onChange(() => {
    if (!isSeen || key() === asked) return;
    asked = key();
    stop();
    clearTimeout(late);
    late = setTimeout(begin, 400);
  });

  function begin() {
    clearTimeout(late);
    asked = key();
    if (lab.isGone()) return;
    if (recording) { said.textContent = "A recorded page cannot train: start nabla studio to see this live."; return; }
    stop();
    [full, low, model, samples, losses, isPaused] = [[], [], undefined, undefined, undefined, false];
    const own = lab.job("race", { ...tuneQuery(lab.state), r2: lab.state.get("r2") }, frame => { if (own === job || !job) take(frame); });
    job = own;
    enable();
  }

  function stop() { job?.stop(); job = undefined; enable(); }

  function enable() {
    start.textContent = job ? "Stop" : "Race again";
    pause.disabled = !job;
    pause.textContent = isPaused && job ? "Continue" : "Pause";
  }

  function take(frame) {
    if (frame.phase) phase = frame.phase;
    if (frame.facts) model = frame.facts;
    if (frame.samples) samples = frame.samples;
    if (frame.losses) losses = frame.losses;
    for (const [step, a, b] of frame["+loss"] ?? []) {
      const smooth = (list, v) => list.push([step, list.length ? list.at(-1)[1] + (v - list.at(-1)[1]) * 0.12 : v]);
      smooth(full, a);
      smooth(low, b);
    }
    if (frame.done) {
      if (!frame.failure) { announce("The race is over"); phase = "done"; }
      job = undefined;
      enable();
    }
    if (!isDirty) { isDirty = true; requestAnimationFrame(draw); }
  }

  function draw() {
    isDirty = false;
    said.textContent = phase && phase !== "done" ? `${phase} …` : "";
    if (!model || !full.length) return;
    curve.show({ lines: [{ name: "full fine-tuning", concept: "ink", points: full }, { name: "LoRA", concept: "loss", points: low }] });
    facts(list, [
      ["full fine-tuning", grouped(model.full), "numbers change"],
      ["LoRA", grouped(model.low), `${percent(model.low / model.full, 1)} of that`],
      losses && ["loss in the end", fixed(losses[1], 3), `LoRA; in full ${fixed(losses[0], 3)}`],
    ]);
    if (samples) {
      written.replaceChildren(el("tbody", {}, ...[["in full", samples[0]], ["LoRA", samples[1]]].map(([who, text]) =>
        el("tr", {}, el("th", { scope: "row" }, who), el("td", { style: { font: "0.95rem/1.5 var(--mono)", "overflow-wrap": "anywhere" } }, text.replace(/\n/g, " ⏎ "))))));
    }
    lab.cite({ file: job?.file ?? "Sources/NablaStudio/Steps/LoRA/Race.swift" }, lab.state.get("seed"));
  }
}
