// Two small networks that learn while one looks on.
import { recording } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { announce, el } from "../../common/dom.js";
import { fixed, grouped } from "../../common/numbers.js";
import { declare, modelQuery } from "./data.js";
import { plane, planes, whenSeen } from "./plane.js";

/// Whether a training is under way or about to start, for which other laboratories wait: they ask for the same networks.
export const training = { isGoingOn: false };

export function learn(lab) {
  declare(lab);
  training.isGoingOn = false;
  lab.slider("steps", { label: "Training steps", list: [100, 300, 700, 1500, 3000, 6000], value: 700, words: v => grouped(v) });
  lab.slider("t", { label: "Arrows at noise step t", title: "Arrows at noise step t", min: 0, max: 999, value: 250, words: v => `${v} of 999` });
  lab.slider("seed", { label: "Seed", min: 0, max: 999, value: 1 });
  const start = lab.button("Train anew", () => { if (job) stop(); else begin(); });
  start.classList.add("primary");
  const pause = lab.button("Pause", () => { isPaused = !isPaused; job?.control({ paused: isPaused }); enable(); });
  const samples = plane({ label: "samples of the network" }), field = plane({ label: "its arrows" });
  lab.add(planes("max(8.5rem, 40%)", samples, field));
  const said = lab.add(el("p", { class: "said" }));
  const curve = chart({ label: "Loss", ratio: 0.62, x: { name: "step" }, y: { name: "mean of (ε − ε̂)²", log: true } });
  const bands = chart({ label: "Loss by noise", ratio: 0.62, x: { name: "noise step t", range: [0, 999] }, y: { name: "mean of (ε − ε̂)²", log: true } });
  lab.row(curve, bands);

  let job, isPaused = false, isDirty = false, isSeen = false, late, asked;
  let points = [], smooth = [], data, places, model, frame;
  const key = () => JSON.stringify(modelQuery(lab.state) ?? "");
  enable();

  whenSeen(lab, () => { isSeen = true; begin(); });
  lab.state.onChange(() => {
    job?.control({ t: lab.state.get("t") });
    if (key() === asked || !isSeen) return;
    // Drawing changes the data many times a second: the training waits until the pen rests.
    asked = key();
    stop();
    clearTimeout(late);
    training.isGoingOn = true;
    late = setTimeout(begin, 500);
  });

  function begin() {
    clearTimeout(late);
    training.isGoingOn = false;
    const query = modelQuery(lab.state);
    asked = key();
    if (!query || lab.isGone() || recording) { if (recording) said.textContent = "A recorded page cannot train: start nabla studio to see this live."; return; }
    stop();
    [points, smooth, data, frame, isPaused] = [[], [], undefined, undefined, false];
    training.isGoingOn = true;
    const own = lab.job("learn", { ...query, t: lab.state.get("t") }, next => { if (own === job || !job) take(next); });
    job = own;
    enable();
  }

  function stop() {
    job?.stop();
    job = undefined;
    training.isGoingOn = false;
    enable();
  }

  function enable() {
    start.textContent = job ? "Stop" : "Train anew";
    pause.disabled = !job;
    pause.textContent = isPaused && job ? "Continue" : "Pause";
  }

  function take(next) {
    if (next.data) data = next.data;
    if (next.places) places = next.places;
    if (next.facts) model = next.facts;
    if (next.frame) frame = next.frame;
    for (const [step, loss] of next["+loss"] ?? []) {
      points.push([step, loss]);
      const last = smooth.at(-1)?.[1] ?? loss;
      smooth.push([step, last + (loss - last) * 0.04]);
    }
    if (next.done) {
      if (!next.failure) announce(`Training is done: loss ${fixed(smooth.at(-1)?.[1] ?? 0, 3)}`);
      job = undefined;
      training.isGoingOn = false;
      enable();
      // What waited for these networks may ask now.
      lab.state.changed();
    }
    if (!isDirty) { isDirty = true; requestAnimationFrame(draw); }
  }

  function draw() {
    isDirty = false;
    if (!data || !frame || !model || !points.length) return;
    samples.name(`samples after ${grouped(frame.step)} steps`, `What the network makes of noise after ${frame.step} steps, over the data`);
    samples.show({ dots: [{ points: data, concept: "data", alpha: 0.25 }, { points: frame.samples, concept: "model", radius: 2 }] });
    field.name("where it would move points: −ε̂", `Arrows of the network's score at noise step ${lab.state.get("t")}`);
    field.show({ dots: [{ points: data, concept: "data", alpha: 0.25 }], arrows: { places, noise: frame.noise } });
    const every = Math.max(1, Math.floor(points.length / 250));
    const thin = list => list.filter((p, i) => i % every === 0 || i === list.length - 1);
    curve.show({
      lines: [{ concept: "loss", faint: true, points: thin(points) }, { name: "smoothed", concept: "loss", points: thin(smooth) }],
      rules: [{ y: model.floor, name: "the exact ε̂ of these points" }],
    });
    bands.show({
      lines: [{ name: "the network", concept: "loss", points: frame.bands.map(b => [b[0], b[1]]) },
        { name: "the exact ε̂", concept: "ink", dashed: true, points: frame.bands.map(b => [b[0], Math.max(1e-5, b[2])]) }],
    });
    said.textContent = `step ${grouped(points.at(-1)[0])} of ${grouped(model.steps)} · loss ${fixed(smooth.at(-1)[1], 3)} · two networks, ${grouped(model.parameters)} parameters each`;
    lab.cite({ file: job?.file ?? "Sources/NablaStudio/Steps/Diffusion/LearnNoise.swift" }, lab.state.get("seed"));
  }
}
