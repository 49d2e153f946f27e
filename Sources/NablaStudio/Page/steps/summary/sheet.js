// Nine equations, each a live miniature.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { tex } from "../../common/math.js";
import { percent, scaled, significant } from "../../common/numbers.js";

const lines = [
  { name: "attention", title: "Attention", step: "attention", concept: "weights", min: 0, max: 8, step_: 0.1, value: 2,
    tex: String.raw`\operatorname{softmax}\!\big(\tfrac{QK^{\top}}{\sqrt d}\big)V`, words: v => `its score is ${significant(v, 2)} above nine others`, y: v => `it gets ${percent(v)} of the weight` },
  { name: "rope", title: "Rotary positions", step: "attention", concept: "query", min: 0, max: 48, step_: 1, value: 8,
    tex: String.raw`(R_m q)^{\top}(R_n k) = q^{\top}R_{n-m}k`, words: v => `${v} positions apart`, y: v => `likeness of equal vectors ${significant(v, 3)}` },
  { name: "gqa", title: "Memory of the cache", step: "attention", concept: "key", min: 0, max: 6, step_: 1, value: 3,
    tex: String.raw`2 \cdot L\,G\,d\,T \cdot 2\,\mathrm{B}`, words: v => `G = ${2 ** v} key/value heads`, y: v => `${significant(v, 3)} GiB (70B, T = 32,768)` },
  { name: "ppo", title: "PPO", step: "rlhf", concept: "reward", min: 0, max: 2, step_: 0.01, value: 1.3,
    tex: String.raw`\min\!\big(\rho A,\ \operatorname{clip}(\rho, 1{\pm}\epsilon)A\big)`, words: v => `ratio ρ = ${significant(v, 3)}, A = 1`, y: v => `objective ${significant(v, 3)}` },
  { name: "grpo", title: "GRPO", step: "rlhf", concept: "reward", min: -2, max: 4, step_: 0.1, value: 2,
    tex: String.raw`A_i = (r_i - \bar r)/\sigma_r`, words: v => `reward ${significant(v, 2)} beside 0, 0, 1`, y: v => `advantage ${significant(v, 3)}` },
  { name: "dpo", title: "DPO", step: "rlhf", concept: "loss", min: -40, max: 40, step_: 1, value: 10,
    tex: String.raw`-\ln\sigma\big(\beta\,(\Delta_w - \Delta_l)\big)`, words: v => `Δ chosen − Δ rejected = ${significant(v, 2)} nats, β = 0.1`, y: v => `loss ${significant(v, 3)}` },
  { name: "lora", title: "LoRA", step: "lora", concept: "model", min: 0, max: 8, step_: 1, value: 3, log: true,
    tex: String.raw`W + \tfrac{\alpha}{r}BA`, words: v => `rank ${2 ** v} in 12,288 × 12,288`, y: v => `${scaled(v)} times fewer numbers` },
  { name: "chinchilla", title: "Scaling", step: "scaling", concept: "loss", min: 18, max: 27, step_: 0.02, value: 23.76,
    tex: String.raw`E + A N^{-\alpha} + B D^{-\beta}`, words: v => `${significant(10 ** v, 2)} FLOP, split best`, y: v => `loss ${significant(v, 3)} nats` },
  { name: "ddpm", title: "Diffusion", step: "diffusion", concept: "noise", min: 0, max: 999, step_: 1, value: 400,
    tex: String.raw`x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon`, words: v => `step ${v} of 1,000`, y: v => `${percent(v)} of the picture is left` },
];

export function sheet(lab) {
  const grid = lab.add(el("div", { class: "sheet" }));
  for (const line of lines) {
    const controls = el("div", { class: "controls" }), result = el("p", { class: "result" });
    const picture = chart({ label: `${line.title}, as a function of its control`, ratio: 0.36, key: false, x: {}, y: { log: line.log } });
    grid.append(el("article", { class: `mini of-${line.concept}` },
      el("h3", {}, el("a", { href: `#${line.step}` }, line.title)), tex(line.tex, true), picture, controls, result));
    lab.slider(line.name, { label: "", min: line.min, max: line.max, step: line.step_, value: line.value, words: line.words, place: controls, title: line.title });
    lab.live("miniature", s => ({ equation: line.name, x: s.get(line.name) }), value => {
      picture.show({ lines: [{ concept: line.concept, points: value.points }], dots: [{ concept: line.concept, points: [[value.x, value.y]], radius: 6 }] });
      result.textContent = line.y(value.y);
    });
  }
}
