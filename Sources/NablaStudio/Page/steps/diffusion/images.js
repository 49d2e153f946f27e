// Images from the reader's own run.
import { ask, recording } from "../../common/ask.js";
import { el } from "../../common/dom.js";
import { grouped } from "../../common/numbers.js";
import { declare } from "./data.js";
import { plane } from "./plane.js";

export async function images(lab) {
  declare(lab);
  const { runs, problems } = recording ? { runs: [], problems: [] } : (await ask("diffusion", "runs")).value;
  if (problems.length) lab.wrong(problems.join("; "));
  if (!runs.length) {
    lab.add(el("p", {}, "No run of images was given. Train one on a folder of PNG files or on an IDX file, and bring it here:"),
      el("pre", { tabindex: 0, style: { "overflow-x": "auto", font: "0.84rem/1.6 var(--mono)", margin: "0 0 0.8rem" } },
        "nabla diffusion train FOLDER --output runs/images\nnabla studio --run runs/images"));
    return;
  }
  const options = Object.fromEntries(runs.map(r => [r.index, r.path]));
  if (runs.length > 1) lab.choice("run", { label: "Run", value: String(runs[0].index), options });
  else lab.value("run", String(runs[0].index), text => text in options ? text : undefined);
  const chosen = () => runs.find(r => String(r.index) === lab.state.get("run"));
  lab.slider("frames", { label: "Steps", list: [1, 2, 5, 10, 20, 35, 50, 100], value: 20 });
  lab.slider("pick", { label: "Class", min: -1, max: 99, value: -1, words: v => v < 0 ? "all in turn" : chosen().classes[v] ?? `class ${v}` });
  lab.slider("strength", { label: "Guidance w", min: 0, max: 10, step: 0.5, value: 1 });
  const caption = lab.text("caption", { label: "Caption, in words that the run has seen", value: "" });
  const classSlider = lab.controls.querySelector("input[name=pick]");
  const film = lab.add(el("div", {})), grid = lab.add(el("div", {}));
  const about = lab.add(el("p", { class: "note" }));
  const adapt = () => {
    const run = chosen();
    classSlider.max = run.classes.length - 1;
    classSlider.closest("label").hidden = !run.classes.length;
    caption.hidden = !run.isCaptioned;
    about.textContent = `${run.path}: ${run.objective}, ${run.shape.join(" × ")}, ${grouped(run.parameters)} parameters`;
  };
  adapt();
  lab.state.onChange(adapt);
  lab.live("images", s => {
    const run = chosen();
    return { run: run.index, n: s.get("frames"), seed: s.get("seed"), w: s.get("strength"),
      class: run.classes.length ? Math.min(s.get("pick"), run.classes.length - 1) : undefined,
      caption: run.isCaptioned && s.get("caption") ? s.get("caption") : undefined };
  }, answer => {
    if (answer.samples.shape.length === 4) {
      film.replaceChildren(
        strip("one sample on its way", answer.film, i => `after ${answer.taken[i]} steps`),
        strip("the data it seems to hold", answer.estimates, i => i === 0 ? "noise" : `before step ${answer.taken[i]}`));
      grid.replaceChildren(strip(`${answer.samples.shape[0]} samples`, answer.samples, i => `sample ${i + 1}`, "5.2rem"));
    } else {
      film.replaceChildren();
      const picture = plane({ label: `${answer.samples.shape[0]} points, first two numbers` });
      grid.replaceChildren(picture);
      picture.show({ dots: [{ points: scaled(answer.samples), concept: "model" }] });
    }
  }, { seed: s => s.get("seed") });
}

function strip(label, tensor, name, size = "3.6rem") {
  const [count] = tensor.shape;
  return el("figure", { style: { "margin-bottom": "0.8rem" } }, el("figcaption", {}, label),
    el("div", { style: { display: "grid", gap: "0.35rem", "grid-template-columns": `repeat(auto-fill, minmax(${size}, 1fr))` } },
      ...Array.from({ length: count }, (_, i) => picture(tensor, i, name(i)))));
}

function picture({ shape: [, channels, height, width], values }, index, label) {
  const canvas = el("canvas", { width, height, role: "img", "aria-label": label, title: label,
    style: { width: "100%", display: "block", "image-rendering": "pixelated", "border-radius": "4px" } });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height), size = height * width;
  for (let p = 0; p < size; p++) {
    for (let c = 0; c < 3; c++) {
      const v = values[(index * channels + Math.min(c, channels - 1)) * size + p];
      image.data[4 * p + c] = Math.max(0, Math.min(255, (v + 1) * 127.5));
    }
    image.data[4 * p + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/// Points of any size brought into the plane; of more than two numbers, the first two.
function scaled({ shape: [count, d], values }) {
  const xy = [];
  for (let i = 0; i < count; i++) xy.push(values[i * d], d > 1 ? values[i * d + 1] : 0);
  const most = xy.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-9);
  return { shape: [count, 2], values: xy.map(v => v / most * 3) };
}
