// The page around the steps: the bar on top, keys, the address, the connection.
import { Disconnected, recording } from "./ask.js";
import { announce, el, forgetThemeListeners } from "./dom.js";
import { Lab } from "./lab.js";
import { connectSymbols, setFormulas } from "./math.js";
import { readAddress, State } from "./state.js";

const steps = [
  ["attention", "Attention", "Self-attention"],
  ["transformer", "Transformer", "The transformer"],
  ["diffusion", "Diffusion", "Diffusion"],
  ["rlhf", "RLHF", "Learning from preferences"],
  ["lora", "LoRA", "Low-rank adaptation"],
  ["scaling", "Scaling", "Scaling laws"],
  ["map", "Map", "The map"],
  ["summary", "Summary", "Summary"],
].map(([name, short, title], index) => ({ name, short, title, number: index + 1 }))
  // An exported page may have one step only.
  .filter(step => !recording || step.name in recording.modules).map((step, index) => ({ ...step, index }));

const main = document.getElementById("step");
const left = new Map();   // the addresses of steps that were left, so that they are found again as they were
let current, visit = 0, playing;

// MARK: Steps

async function open(address = location.hash) {
  const { step: name, fields } = readAddress(address);
  const step = steps.find(s => s.name === name) ?? steps[0];
  if (current) { left.set(current.step.name, current.state.address); for (const lab of current.labs) lab.leave(); }
  const number = ++visit;
  const isGone = () => number !== visit;
  forgetThemeListeners();
  const state = new State(step.name, fields);
  current = { step, state, labs: [] };
  mark(step);
  main.setAttribute("aria-busy", "true");
  let module, narrative;
  try {
    [module, narrative] = await Promise.all([loadModule(step.name), loadNarrative(step.name)]);
  } catch (error) {
    console.error(error);
    main.replaceChildren(el("p", { class: "problem" }, `This step could not be loaded: ${error.message}`));
    return;
  } finally {
    main.removeAttribute("aria-busy");
  }
  if (isGone()) return;
  const template = document.createElement("template");
  template.innerHTML = narrative;
  if (recording) forgetMissingSteps(template.content);
  main.replaceChildren(template.content);
  document.title = `${step.title} · Nabla Studio`;
  for (const section of main.querySelectorAll("section[data-lab]")) {
    const root = el("div", { class: "lab", role: "group", "aria-label": section.dataset.title ?? section.querySelector("h2")?.textContent ?? step.title });
    section.append(root);
    const scene = module[section.dataset.lab];
    if (!scene) continue;
    const lab = new Lab(root, step.name, state, isGone);
    current.labs.push(lab);
    try {
      await scene(lab);
    } catch (error) {
      // One laboratory that fails leaves the others alone.
      lab.wrong(error.message);
      if (!(error instanceof Disconnected)) console.error(error);
    }
    if (isGone()) return;
    lab.finish();
  }
  main.append(ending(step));
  setFormulas(main);
  scrollTo(0, 0);
  announce(`Step ${step.number}: ${step.title}`);
  main.dataset.ready = step.name;
}

/// Links to steps that an exported page does not have become plain words.
function forgetMissingSteps(root) {
  for (const link of root.querySelectorAll('a[href^="#"]')) {
    if (!steps.some(s => s.name === readAddress(link.getAttribute("href")).step)) link.replaceWith(el("span", {}, ...link.childNodes));
  }
}

const loadModule = name => recording ? import(recording.modules[name]) : import(`../steps/${name}/step.js`);

async function loadNarrative(name) {
  if (recording) return recording.narratives[name];
  const response = await fetch(`steps/${name}/narrative.html`);
  if (!response.ok) throw new Error(`its text has status ${response.status}`);
  return response.text();
}

function ending(step) {
  const [back, next] = [steps[step.index - 1], steps[step.index + 1]];
  return el("nav", { class: "ending", "aria-label": "Next" },
    back ? el("a", { href: `#${back.name}` }, `‹ ${back.title}`) : el("span"),
    next ? el("a", { href: `#${next.name}` }, `${next.title} ›`) : el("span"));
}

function go(index) {
  const step = steps[Math.max(0, Math.min(steps.length - 1, index))];
  if (step === current?.step) return;
  history.pushState(null, "", left.get(step.name) ?? `#${step.name}`);
  open();
}

function mark(step) {
  delete main.dataset.ready;
  for (const item of document.querySelectorAll("#steps a")) {
    const isCurrent = item.dataset.step === step.name;
    if (isCurrent) item.setAttribute("aria-current", "step"); else item.removeAttribute("aria-current");
  }
  document.getElementById("back").disabled = step.index === 0;
  document.getElementById("forward").disabled = step.index === steps.length - 1;
}

document.getElementById("steps").append(...steps.map(step => el("li", {},
  el("a", { href: `#${step.name}`, data: { step: step.name }, title: step.title,
    onclick: event => { if (event.ctrlKey || event.metaKey) return; event.preventDefault(); go(step.index); } },
    el("span", { class: "number" }, step.number), el("span", { class: "short" }, step.short)))));
document.getElementById("back").addEventListener("click", () => go(current.step.index - 1));
document.getElementById("forward").addEventListener("click", () => go(current.step.index + 1));
document.getElementById("play").addEventListener("click", togglePlay);
document.getElementById("skip").addEventListener("click", event => { event.preventDefault(); main.focus(); });
addEventListener("popstate", () => { if (location.hash !== current?.state.address) open(); });
// Links in the text lead to steps too.
main.addEventListener("click", event => {
  const link = event.target.closest?.('a[href^="#"]');
  const step = link && steps.find(s => s.name === readAddress(link.getAttribute("href")).step);
  if (!step || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  open();
});

// MARK: Play: one step after another, each as long as its text takes to skim

function togglePlay() {
  const button = document.getElementById("play");
  if (playing) { clearTimeout(playing); playing = undefined; } else advance(0);
  button.textContent = playing ? "Pause" : "Play";
  button.setAttribute("aria-pressed", String(Boolean(playing)));
}

function advance(moment) {
  const sections = [...main.querySelectorAll("section")];
  if (moment < sections.length) {
    sections[moment].scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
    playing = setTimeout(() => advance(moment + 1), 9000);
  } else if (current.step.index + 1 < steps.length) {
    go(current.step.index + 1);
    playing = setTimeout(() => advance(0), 4000);
  } else {
    playing = 1;
    togglePlay();
  }
}

// MARK: Keys; a control that has the focus keeps its own

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = event.target;
  if (target.closest?.("input, textarea, select, button, a, summary, [tabindex='0'], [contenteditable]")) return;
  const index = current.step.index;
  const action = {
    ArrowLeft: () => go(index - 1), ArrowRight: () => go(index + 1), Home: () => go(0), End: () => go(steps.length - 1),
    " ": togglePlay,
  }[event.key] ?? (/^[1-9]$/.test(event.key) && Number(event.key) <= steps.length ? () => go(Number(event.key) - 1) : undefined);
  if (!action) return;
  event.preventDefault();
  action();
});

// MARK: The connection to the program behind the page

let isConnected = true, misses = 0;

async function checkConnection() {
  const place = document.getElementById("connection");
  let isAlive = false;
  try {
    const response = await fetch("api/alive", { signal: AbortSignal.timeout(1800), cache: "no-store" });
    isAlive = response.ok;
    if (isAlive) tellSmallModel(await response.json());
    misses = isAlive ? 0 : misses + 1;
  } catch (error) {
    // No answer may mean that the computer is busy; a refused connection means that the program is gone.
    misses += error.name === "TimeoutError" ? 1 : 2;
  }
  if (isAlive !== isConnected && (isAlive || misses >= 2)) {
    isConnected = isAlive;
    place.hidden = isAlive;
    place.textContent = isAlive ? "" : "Disconnected: the program behind this page is not running. What you chose is kept; start nabla studio again.";
    if (isAlive) { announce("Connected again"); dispatchEvent(new Event("nabla:connected")); }
  }
  setTimeout(checkConnection, 1000);
}

/// How far the model is that the program trains where it has no other. When it is there the laboratories ask again.
let wasTraining = false;

function tellSmallModel({ training, isDone, problem, text }) {
  const place = document.getElementById("small-model");
  const isTraining = training !== undefined;
  place.hidden = !isTraining && !problem;
  const share = Math.floor(20 * (training ?? 0)) * 5;
  const words = problem ? `The small model could not be trained, so steps show one with random weights: ${problem}`
    : `A small model learns from ${text}, once, for about a minute: ${share} %. Until then steps show one with random weights.`;
  if (place.textContent !== words) place.textContent = words;
  if (wasTraining && isDone) { announce("The small model is trained"); dispatchEvent(new Event("nabla:model")); }
  wasTraining = isTraining;
}

connectSymbols(document.body);
if (recording) {
  const place = document.getElementById("connection");
  place.hidden = false;
  place.classList.add("calm");
  place.textContent = "A recorded page: its numbers were computed when it was exported.";
} else {
  checkConnection();
}
open();
