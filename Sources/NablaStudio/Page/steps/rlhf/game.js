// The reader balances the pole beside a trained policy, from the same start, on equal terms.
import { announce, el, reducesMotion } from "../../common/dom.js";
import { fixed, grouped } from "../../common/numbers.js";
import { ending, hasFallen, inWords, step, track } from "./cartpole.js";

const paces = { eighth: "⅛ speed", quarter: "¼ speed", half: "½ speed", full: "full speed", turns: "one step a key" };
const speeds = { eighth: 1 / 8, quarter: 1 / 4, half: 1 / 2, full: 1 };
const directions = { ArrowLeft: 0, a: 0, A: 0, ArrowRight: 1, d: 1, D: 1 };

const stepsOf = episode => episode.trained === 0 ? "none" : `${grouped(episode.trained)} steps`;
const trainedFor = episode => episode.trained === 0 ? "no training" : `${stepsOf(episode)} of training`;

/// game(lab) with `.begin(start)`, and `.meet(episodes)` when there are policies to play against.
export function game(lab) {
  // mode: "idle", "ready" (waits for the first push), "playing", "watching", "over"
  let mode = "idle", initial, limit = 500, tick = 0.02, state, last, push, count = 0, best = 0, rivals, clock, spare = 0, quiet = 0;
  const help = el("p", { class: "note", id: "game-help" },
    "Arrow keys (or A and D) push the cart, and the last push lasts until the other key: CartPole knows no rest. While the game runs the arrows belong to it; Escape, or the end of the game, gives them back to the page.");
  const yours = track({ label: "You", concept: "data" }), theirs = track({ label: "Policy, not trained yet", concept: "model" });
  const left = el("button", { type: "button" }, "← left"), right = el("button", { type: "button" }, "right →");
  const play = el("button", { type: "button", class: "primary", onclick: () => ready() }, "Play");
  const watch = el("button", { type: "button", onclick: () => ready(true) }, "Watch the policy");
  const result = el("p", { class: "said" });
  const arena = el("div", { class: "arena", role: "application", tabindex: 0, "aria-label": "CartPole, you and the policy", "aria-describedby": "game-help" },
    el("div", { class: "pair" }, yours, theirs), el("div", { class: "steering" }, left, right));
  const time = el("div", { class: "controls" }), settings = el("div", { class: "controls" });
  lab.add(help, time, settings, arena, el("div", { class: "controls" }, play, watch), result);
  lab.choice("pace", { label: "Time", value: reducesMotion() ? "turns" : "quarter", options: paces, place: time });
  lab.slider("rival", { label: "Training of the policy", min: 0, max: 6, value: 6, words: v => rivals ? stepsOf(rivals[v]) : "not yet", place: settings });
  lab.slider("start", { label: "Start", min: 1, max: 99, value: 1, place: settings });

  const rival = () => rivals?.[lab.state.get("rival")];
  lab.state.onChange(() => { if (mode !== "playing" && mode !== "watching") draw(); });
  watch.disabled = true;

  function ready(isWatched = false) {
    cancelAnimationFrame(clock);
    [state, last, push, count, spare] = [initial, initial, undefined, 0, 0];
    mode = isWatched ? "watching" : "ready";
    if (!isWatched) {
      arena.focus({ preventScroll: true });
      say("Push left or right to begin.");
    } else if (lab.state.get("pace") === "turns") say("Each push of a key shows one step of the policy.");
    else run();
    if (isWatched) arena.focus({ preventScroll: true });
    draw();
  }

  /// A push of the reader.
  function steer(direction) {
    if (mode === "idle") ready();
    if (mode === "over") return;
    const isTurn = lab.state.get("pace") === "turns";
    push = direction;
    if (mode === "ready") { mode = "playing"; result.textContent = ""; if (!isTurn) run(); }
    if (isTurn && (mode === "playing" || mode === "watching")) {
      advance();
      last = state;
      draw();
      if (mode === "playing") announce(`Step ${count}: ${inWords(state)}`);
    }
  }

  function run() {
    let before;
    const frame = now => {
      if (lab.isGone() || (mode !== "playing" && mode !== "watching")) return;
      const pace = speeds[lab.state.get("pace")];
      if (pace) {
        // A tab that was hidden does not catch up.
        spare += Math.min(0.1, (now - (before ?? now)) / 1000) * pace;
        while (spare >= tick && (mode === "playing" || mode === "watching")) { spare -= tick; advance(); }
        draw(spare / tick);
      }
      before = now;
      clock = requestAnimationFrame(frame);
    };
    clock = requestAnimationFrame(frame);
  }

  /// One step of both.
  function advance() {
    last = state;
    count += 1;
    if (mode === "playing") {
      state = step(state, push);
      if (hasFallen(state) || count >= limit) end(ending(state) || `the episode is over after ${limit} steps`);
    } else if (count >= (rival()?.length ?? 0)) {
      mode = "over";
      say(`The policy balanced ${rival()?.length ?? 0} steps from this start.`);
      release();
    }
  }

  function end(reason) {
    mode = "over";
    best = Math.max(best, count);
    const other = rival();
    const verdict = !other ? "" : other.length > count ? ` The policy after ${trainedFor(other)}: ${other.length}. It wins.`
      : other.length < count ? ` The policy after ${trainedFor(other)}: ${other.length}. You win.` : ` The policy: ${other.length} too.`;
    say(`You balanced ${count} steps (${fixed(count * tick, 2)} s): ${reason}.${verdict} Your best: ${best}.`);
    play.textContent = "Play again";
    release();
  }

  /// Gives the keys back: not at once, and not while one is pressed, which would leave the step.
  function release() {
    quiet = performance.now() + 700;
    const wait = () => {
      if (mode !== "over" || lab.isGone()) return;
      if (held.size || performance.now() < quiet) setTimeout(wait, 100);
      else if (arena.contains(document.activeElement)) document.activeElement.blur();
    };
    wait();
  }

  function say(text) { result.textContent = text; announce(text); }

  /// - share: of the step that is under way, so that motion is smooth where steps are slow
  function draw(share = 1) {
    if (!state) return;
    const between = (a, b) => a.map((v, i) => v + (b[i] - v) * share);
    const other = rival();
    const isWatched = mode === "watching" || (mode === "over" && push === undefined);
    yours.hidden = left.parentElement.hidden = isWatched;
    yours.show(mode === "over" ? state : between(last, state), { push: mode === "playing" ? push : undefined, isOver: mode === "over" });
    yours.say(`${mode === "idle" || mode === "ready" ? 0 : count} steps`);
    theirs.name(other ? `Policy after ${trainedFor(other)}` : "Policy, not trained yet");
    if (other) {
      const at = i => other.states.slice(4 * Math.min(i, other.length), 4 * Math.min(i, other.length) + 4);
      const now = Math.min(count, other.length), isOver = count >= other.length;
      theirs.show(isOver ? at(now) : between(at(Math.max(0, now - 1)), at(now)), { push: isOver ? undefined : other.actions[now], isOver });
      theirs.say(`${now} steps${isOver && other.length < limit ? ", fallen" : ""}`);
    } else {
      theirs.show(initial, { isOver: true });
      theirs.say("");
    }
  }

  const held = new Set();
  arena.addEventListener("keyup", event => held.delete(event.key));
  arena.addEventListener("focusout", () => held.clear());
  arena.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      event.preventDefault();
      cancelAnimationFrame(clock);
      if (mode !== "over") { mode = "idle"; [state, last, count] = [initial, initial, 0]; say("The game has stopped: the arrows move between steps again."); draw(); }
      document.activeElement.blur();
      return;
    }
    const direction = directions[event.key];
    if (direction === undefined) return;
    event.preventDefault();
    held.add(event.key);
    if (mode === "over" && performance.now() > quiet && !event.repeat) ready();
    if (!event.repeat || lab.state.get("pace") === "turns") steer(direction);
  });
  for (const [button, direction] of [[left, 0], [right, 1]]) {
    button.addEventListener("pointerdown", event => { event.preventDefault(); if (mode === "over" && performance.now() > quiet) ready(); steer(direction); });
    // Of the keyboard, or of a screen reader.
    button.addEventListener("click", event => { if (event.detail === 0) steer(direction); });
  }

  return {
    begin(start) {
      [initial, limit, tick] = [start.state, start.stepLimit, start.secondsPerStep];
      cancelAnimationFrame(clock);
      [mode, state, last, push, count] = ["idle", initial, initial, undefined, 0];
      draw();
    },
    meet(episodes) {
      rivals = episodes;
      watch.disabled = !rivals;
      // The words of the slider name the policies.
      const output = settings.querySelector("input[name=rival]"), other = rival();
      output.setAttribute("aria-valuetext", other ? stepsOf(other) : "not yet");
      output.parentElement.querySelector("output").textContent = output.getAttribute("aria-valuetext");
      draw();
    },
  };
}
