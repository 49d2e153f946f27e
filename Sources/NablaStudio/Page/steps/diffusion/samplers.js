// Four samplers from the same noise, in step with one another.
import { chart } from "../../common/chart.js";
import { el, reducesMotion } from "../../common/dom.js";
import { fixed, percent, significant } from "../../common/numbers.js";
import { declare, modelQuery } from "./data.js";
import { facts, plane, planes, whenSeen } from "./plane.js";
import { training } from "./learn.js";

const ways = {
  ancestral: ["ancestral (DDPM)", "a guess of the data, and fresh noise"],
  ddim: ["DDIM", "the same guess, its own noise kept"],
  langevin: ["annealed Langevin", "five small climbs at each level"],
  flow: ["flow matching", "straight on, by the second network"],
};

export function samplers(lab) {
  declare(lab);
  let isSeen = false, value, at = 1, playing;
  lab.slider("n", { label: "Steps of the samplers", list: [1, 2, 3, 5, 8, 12, 20, 30, 50, 100], value: 20, words: v => `${v}` });
  lab.choice("score", { label: "They ask", value: "network", options: { network: "the networks", exact: "Bayes’ theorem on the 1,024 points" } });
  lab.slider("way", { label: "Way from noise to data", min: 0, max: 100, value: 100, words: v => percent(v / 100) });
  const play = lab.button("Play", () => { if (playing) halt(); else run(); });
  play.classList.add("primary");
  const pictures = Object.fromEntries(Object.entries(ways).map(([way, [name, note]]) => [way, plane({ label: name, note })]));
  lab.add(planes("max(8.5rem, 40%)", ...Object.values(pictures)));
  const list = lab.add(el("dl", { class: "facts" }));

  whenSeen(lab, () => { isSeen = true; lab.state.changed(); });
  let shownWay = lab.state.get("way");
  lab.state.onChange(() => {
    if (lab.state.get("way") === shownWay) return;
    shownWay = lab.state.get("way");
    halt();
    at = shownWay / 100;
    draw();
  });

  lab.live("samplers", s => {
    const model = modelQuery(s);
    return model && isSeen && !training.isGoingOn ? { ...model, n: s.get("n"), score: s.get("score") } : undefined;
  }, answer => {
    value = answer;
    for (const sampler of answer.samplers) {
      const [name, note] = ways[sampler.way];
      pictures[sampler.way].name(`${name}, ${sampler.evaluations} evaluation${sampler.evaluations > 1 ? "s" : ""}`,
        `${name}: particles on their way from noise to data`);
      pictures[sampler.way].say(note);
    }
    facts(list, [...answer.samplers.map(s => [ways[s.way][0], significant(s.distance), `× ${fixed(s.distance / answer.floor, 1)} the floor`]),
      ["two sets of data", significant(answer.floor), "the floor of this distance"],
      ["DDIM to a training point", significant(answer.samplers.find(s => s.way === "ddim").nearest), `fresh data: ${significant(answer.nearestOfFresh)}`]]);
    at = lab.state.get("way") / 100;
    if (at === 1 && !reducesMotion()) run(); else draw();
  }, { seed: s => s.get("seed") });

  function run() {
    if (!value) return;
    const start = performance.now(), from = at >= 1 ? 0 : at, seconds = 3.2;
    playing = true;
    play.textContent = "Pause";
    const frame = now => {
      if (!playing || lab.isGone()) return;
      at = Math.min(1, from + (now - start) / 1000 / seconds);
      draw();
      if (at < 1) requestAnimationFrame(frame); else halt();
    };
    requestAnimationFrame(frame);
  }

  function halt() { playing = undefined; play.textContent = "Play"; }

  function draw() {
    if (!value) return;
    for (const { way, paths } of value.samplers) {
      const [frames, count] = paths.shape, place = at * (frames - 1), i = Math.min(frames - 2, Math.floor(place)), part = place - i;
      const size = 2 * count, values = new Float32Array(size);
      for (let k = 0; k < size; k++) {
        const [a, b] = [paths.values[i * size + k], paths.values[(i + 1) * size + k]];
        values[k] = a + (b - a) * part;
      }
      pictures[way].show({ dots: [{ points: value.data, concept: "data", alpha: 0.22 }, { points: { shape: [count, 2], values }, concept: "model", radius: 2.2, alpha: 0.85 }] });
    }
  }
}

/// Steps against quality.
export function quality(lab) {
  declare(lab);
  let isSeen = false;
  whenSeen(lab, () => { isSeen = true; lab.state.changed(); });
  const picture = lab.add(chart({ label: "Distance of 1,024 samples to data that nothing was trained on", ratio: 0.62,
    x: { name: "evaluations of the network", log: true, range: [0.9, 115], format: v => `${v}` }, y: { name: "sliced Wasserstein distance", log: true, format: v => significant(v, 2) } }));
  const table = lab.add(el("div", { style: { "overflow-x": "auto" }, tabindex: "0", role: "group", "aria-label": "Distances as a table" }));
  const concepts = { ancestral: "noise", ddim: "model", langevin: "gradient", flow: "output" };
  lab.live("quality", s => {
    const model = modelQuery(s);
    return model && isSeen && !training.isGoingOn ? model : undefined;
  }, answer => {
    picture.show({
      lines: answer.curves.map(c => ({ name: ways[c.way][0], concept: concepts[c.way], points: c.points })),
      dots: answer.curves.map(c => ({ concept: concepts[c.way], points: c.points, radius: 3 })),
      rules: [{ y: answer.floor, name: "two sets of data" }],
    });
    const counts = [1, 2, 4, 10, 20, 40, 80];
    const near = (c, n) => c.points.find(p => p[0] === n);
    table.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, el("th", {}, "distance after"), ...counts.map(n => el("th", {}, n)))),
      el("tbody", {}, ...answer.curves.map(c => el("tr", {}, el("th", { scope: "row" }, ways[c.way][0]),
        ...counts.map(n => el("td", {}, near(c, n) ? significant(near(c, n)[1], 2) : "")))))));
  }, { seed: s => s.get("seed") });
}
