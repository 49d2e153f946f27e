// PPO learns CartPole while one looks on; then the reader plays against it.
import { recording } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { announce, el } from "../../common/dom.js";
import { fixed, grouped, percent } from "../../common/numbers.js";
import { facts, whenSeen } from "../diffusion/plane.js";
import { game } from "./game.js";

export function balance(lab) {
  lab.slider("ppo", { label: "Seed of the training", min: 0, max: 999, value: 1 });
  const train = lab.button("Train PPO", () => { if (job) stop(); else begin(); });
  train.classList.add("primary");
  const curve = lab.add(chart({ label: "Steps balanced, mean of the last 100 episodes", ratio: 0.33, key: false,
    x: { name: "environment steps", range: [0, 140_000], format: v => v === 0 ? "0" : `${v / 1000}k` }, y: { name: "steps", range: [0, 540] } }));
  const list = lab.add(el("dl", { class: "facts" }));
  const arena = game(lab);

  let job, points = [], begun = 0, took, pace, trained, isDirty = false, late;
  const seed = () => lab.state.get("ppo");
  if (recording) [train.disabled, trained] = [true, seed()];
  else whenSeen(lab, begin);

  lab.state.onChange(() => {
    if (recording || seed() === trained) return;
    // The slider rests first.
    clearTimeout(late);
    if (trained !== undefined) late = setTimeout(() => { if (seed() !== trained) begin(); }, 400);
  });

  // The same start, played by each policy of the training.
  lab.live("start", s => ({ start: s.get("start") }), arena.begin);
  lab.live("rivals", s => trained !== undefined && trained === seed() && !job ? { ppo: trained, start: s.get("start") } : undefined, value => {
    [points, took] = [value.curve, value.seconds];
    arena.meet(value.episodes);
    draw();
  }, { seed });

  function begin() {
    if (lab.isGone()) return;
    clearTimeout(late);
    job?.stop();
    [points, took, pace, begun, trained] = [[], undefined, undefined, performance.now(), seed()];
    arena.meet(undefined);
    const own = lab.job("learn", { ppo: trained }, frame => { if (own === job || !job) take(frame); });
    job = own;
    enable();
  }

  function stop() { job?.stop(); [job, trained] = [undefined, undefined]; enable(); }

  function take(frame) {
    points.push(...frame["+curve"] ?? []);
    if (frame.pace) pace = frame.pace;
    if (frame.seconds) took = frame.seconds;
    if (frame.done) {
      job = undefined;
      if (frame.failure) trained = undefined;
      else {
        announce(`PPO has trained: ${fixed(points.at(-1)?.[1] ?? 0, 0)} steps balanced on average`);
        lab.state.changed();
      }
      enable();
    }
    if (!isDirty) { isDirty = true; requestAnimationFrame(draw); }
  }

  function enable() { train.textContent = job ? "Stop" : points.length ? "Train anew" : "Train PPO"; }

  function draw() {
    isDirty = false;
    lab.root.dataset.frames = Number(lab.root.dataset.frames ?? 0) + 1;
    curve.show({ lines: [{ concept: "reward", points }], rules: [{ y: 500, name: "an episode is cut off at 500 steps" }] });
    const [step, balanced] = points.at(-1) ?? [0, 0];
    facts(list, [
      ["trained", `${grouped(step)} steps`, `${fixed(took ?? (performance.now() - begun) / 1000, 1)} s${recording ? " when it was recorded" : ""}`],
      ["balanced", `${fixed(balanced, 0)} steps`, "mean of 100 episodes"],
      pace && ["clipped", percent(pace.clipped, 0), "of the ratios in the last update"],
    ]);
    if (job) lab.cite({ file: job.file ?? "Sources/NablaStudio/Steps/RLHF/Balance.swift" }, seed());
    enable();
  }
}
