// A small transformer that learns while one looks on.
import { chart } from "../../common/chart.js";
import { announce, el } from "../../common/dom.js";
import { fixed, grouped, significant } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";
import { shown } from "../attention/attend.js";

const rates = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1];

export function train(lab) {
  lab.choice("corpus", { label: "A text to learn", value: "rhymes", options: { rhymes: "nursery rhymes", sums: "sums like 3+4=7", own: "your own" } });
  const own = lab.text("own", { label: "Your text (50 to 10,000 characters)", value: "" });
  lab.slider("width", { label: "Width", min: 1, max: 4, value: 2, words: v => `${32 * v} numbers a token` });
  lab.slider("layers", { label: "Layers", min: 1, max: 4, value: 2 });
  lab.slider("rate", { label: "Learning rate η, also in mid-run", list: rates, value: 3e-3, words: v => significant(v, 1) });
  lab.slider("seed", { label: "Seed", min: 0, max: 999, value: 1 });
  const start = lab.button("Train", () => { if (job) end(); else begin(); });
  start.classList.add("primary");
  const pause = lab.button("Pause", () => setPaused(!isPaused));
  const single = lab.button("One step", () => { setPaused(true); job.control({ single: ++singles }); });

  const curve = lab.add(chart({ label: "Loss", ratio: 0.42, x: { name: "step", range: undefined }, y: { name: "nats a character" } }));
  const sample = lab.add(el("p", { class: "sample" }, "Press Train: what the model writes will appear here, and change as it learns."));
  const maps = lab.add(el("div", { class: "maps" }));
  const facts = lab.add(el("p", { class: "said" }));
  let job, isPaused = false, singles = 0, points = [], smooth = [], model, started = 0, heats = [], isDirty = false;

  const showOwn = () => { own.hidden = lab.state.get("corpus") !== "own"; };
  showOwn();
  lab.state.onChange(showOwn);
  lab.state.onChange(() => job?.control({ rate: lab.state.get("rate") }));
  enable();

  function begin() {
    const s = lab.state;
    [points, smooth, model, heats, isPaused, singles] = [[], [], undefined, [], false, 0];
    maps.replaceChildren();
    started = performance.now();
    job = lab.job("train", { corpus: s.get("corpus"), own: s.get("corpus") === "own" ? s.get("own") : undefined, width: s.get("width"),
      layers: s.get("layers"), rate: s.get("rate"), seed: s.get("seed") }, take);
    if (job) announce("Training has started");
    enable();
  }

  function end() { job?.stop(); job = undefined; enable(); }

  function setPaused(value) {
    isPaused = value;
    job?.control({ paused: isPaused });
    enable();
  }

  function enable() {
    start.textContent = job ? "Stop" : points.length ? "Train anew" : "Train";
    pause.disabled = single.disabled = !job;
    pause.textContent = isPaused && job ? "Continue" : "Pause";
  }

  function take(frame) {
    if (frame.model) model = frame.model;
    for (const p of frame["+loss"] ?? []) {
      points.push([p[0], p[1]]);
      const last = smooth.at(-1)?.[1] ?? p[1];
      smooth.push([p[0], last + (p[1] - last) * 0.06]);
    }
    if (frame.sample) sample.replaceChildren(el("span", { class: "note" }, `after ${grouped(frame.sample.step)} steps it writes `), el("q", {}, shownText(frame.sample.text)));
    if (frame.attention) drawMaps(frame.attention);
    if (frame.done) {
      if (!frame.failure) announce(`Training is done: loss ${fixed(smooth.at(-1)?.[1] ?? 0)}`);
      job = undefined;
      enable();
    }
    if (!isDirty) { isDirty = true; requestAnimationFrame(draw); }
  }

  function draw() {
    isDirty = false;
    lab.root.dataset.frames = Number(lab.root.dataset.frames ?? 0) + 1;
    if (!points.length || !model) return;
    const every = Math.max(1, Math.floor(points.length / 400));
    const thin = list => list.filter((p, i) => i % every === 0 || i === list.length - 1);
    curve.show({
      lines: [{ concept: "loss", faint: true, points: thin(points) }, { name: "loss, smoothed", concept: "loss", points: thin(smooth) }],
      rules: [{ y: Math.log(model.vocabulary), name: `ln ${model.vocabulary}: knows nothing` }],
    });
    const [step, loss] = smooth.at(-1), seconds = (performance.now() - started) / 1000;
    facts.textContent = `step ${grouped(step)} · loss ${fixed(loss)} nats · perplexity ${fixed(Math.exp(loss), 1)} · ${grouped(model.parameters)} parameters · ${Math.round(step / seconds)} steps a second`;
    lab.cite({ file: job?.file ?? "Sources/NablaStudio/Steps/Transformer/LiveTraining.swift" }, lab.state.get("seed"));
  }

  function drawMaps(layers) {
    layers.forEach((layer, l) => {
      const [heads, count] = layer.shape;
      for (let h = 0; h < heads; h++) {
        const index = l * heads + h;
        if (!heats[index]) {
          heats[index] = heat({ name: "W", concept: "weights", label: `layer ${l + 1}, head ${h + 1}`, signed: false,
            axes: (i, j) => `${shown(model.probe[i])} → ${shown(model.probe[j])}` });
          maps.append(heats[index]);
        }
        heats[index].show({ shape: [count, count], values: layer.values.slice(h * count * count, (h + 1) * count * count) },
          { hidden: (i, j) => j > i, most: 1 });
      }
    });
  }
}

const shownText = text => text.replace(/\n/g, " ⏎ ");
