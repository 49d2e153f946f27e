// The reader ranks completions of a real model; a reward model learns from each click, and guesses the next.
import { Disconnected } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { announce, el } from "../../common/dom.js";
import { fixed, percent } from "../../common/numbers.js";
import { facts } from "../diffusion/plane.js";
import { declare, isKnown, most, pair, ranked, shown } from "./pairs.js";

export function judge(lab) {
  lab.slider("seed", { label: "Seed of the completions", min: 1, max: 99, value: 1 });
  lab.toggle("guess", { label: "Show the judge's guess before I choose", value: true });
  declare(lab);
  const prompt = lab.add(el("p", { class: "said" }));
  const cards = ["first", "second"].map((name, i) => {
    const text = el("p", { class: "answer" }), button = el("button", { type: "button", onclick: () => { left = 0; choose("ab"[i]); } }, "This one is better");
    return { text, button, root: el("div", { class: "answered", role: "group", "aria-label": `The ${name} completion` }, text, button) };
  });
  lab.add(el("div", { class: "pair" }, ...cards.map(c => c.root)));
  const guess = lab.add(el("p", { class: "guess" }));
  const buttons = lab.add(el("div", { class: "controls" }));
  const skip = lab.button("I cannot say", () => choose("s"), { place: buttons });
  const undo = lab.button("Undo", () => { left = 0; lab.state.set("choices", lab.state.get("choices").slice(0, -1)); }, { place: buttons });
  const restart = lab.button("Start over", () => { left = 0; lab.state.set("choices", ""); }, { place: buttons });
  const other = lab.button("Let somebody choose who likes long answers", () => { left = 8; standIn(); }, { place: buttons });
  const list = lab.add(el("dl", { class: "facts" }));
  const curve = lab.add(chart({ label: "Loss by choice", ratio: 0.36, x: { name: "choices", format: v => Number.isInteger(v) ? String(v) : "" }, y: { name: "nats" } }));

  // left: choices that somebody else still makes
  let left = 0, visit = 0, key, seed = lab.state.get("seed"), clicked = false, answer;

  function choose(letter) {
    const choices = lab.state.get("choices");
    if (cards[0].button.disabled || choices.length >= most) return;
    clicked = true;
    enable(false);
    lab.state.set("choices", choices + letter);
  }

  /// Chooses the longer answer, as long as it is asked to.
  function standIn() {
    const now = ranked(lab.state), choices = lab.state.get("choices");
    if (left <= 0 || cards[0].button.disabled || choices.length >= most) return;
    const [first, second] = now.pairs[choices.length].completions.map(c => c.traits[0]);
    left -= 1;
    choose(first > second ? "a" : second > first ? "b" : "s");
  }

  async function follow() {
    if (lab.state.get("seed") !== seed) {
      // Other completions: the choices were of those before.
      seed = lab.state.get("seed");
      lab.state.set("choices", "");
    }
    const choices = lab.state.get("choices"), now = `${seed} ${choices}`;
    if (now === key) return;
    key = now;
    const own = ++visit;
    enable(false);
    try {
      for (let i = 0; i <= Math.min(choices.length, most - 1); i++) {
        if (!isKnown(seed, i)) {
          prompt.textContent = choices.length ? `Sampling pair ${i + 1} of ${choices.length + 1} …` : "Sampling the first pair …";
          lab.root.setAttribute("aria-busy", "true");
        }
        await pair(seed, i);
        if (own !== visit || lab.isGone()) return;
      }
      lab.wrong();
      show();
      lab.state.changed();
      // One ahead, so that the next click is answered at once.
      if (choices.length + 1 < most) pair(seed, choices.length + 1).catch(() => {});
    } catch (error) {
      if (error instanceof Disconnected) key = undefined;
      else lab.wrong(error.message);
    } finally {
      if (own === visit) lab.root.removeAttribute("aria-busy");
    }
  }

  function enable(isOn) {
    for (const card of cards) card.button.disabled = !isOn;
    skip.disabled = other.disabled = !isOn;
    undo.disabled = restart.disabled = !lab.state.get("choices");
  }

  function show() {
    const { choices, pairs } = ranked(lab.state), isOver = choices.length >= most;
    const now = pairs[isOver ? choices.length - 1 : choices.length];
    prompt.replaceChildren(el("b", {}, isOver ? `Pair ${most}, the last` : `Pair ${choices.length + 1}`), ` · “${now.prompt}”`);
    cards.forEach((card, i) => { card.text.textContent = shown(now.completions[i]); });
    if (!now.isTrained) prompt.append(el("small", { class: "note" }, " This is a small model with random weights, so its completions are noise. make model fetches one that can talk."));
    enable(!isOver);
    draw();
    // Slowly enough to be followed.
    if (left > 0) setTimeout(standIn, 350);
  }

  lab.live("judge", s => ranked(s)?.query, (value, { choices }) => {
    answer = { ...value, choices };
    draw();
    if (clicked) announce(told());
    clicked = false;
  }, { seed: s => s.get("seed") });
  lab.state.onChange(follow);
  lab.state.onChange(draw);
  addEventListener("nabla:connected", follow);
  follow();

  /// What became of the last guess.
  function told() {
    const last = answer.predictions.at(-1), choices = answer.choices;
    if (!choices) return "Which of the two answers is better? The judge knows nothing yet, and learns from your choices.";
    if (choices.at(-1) === "s") return "Left out: the judge learns nothing from this pair.";
    if (!last || last.index !== choices.length - 1) return "Your first choice: from now on the judge guesses.";
    const given = last.choseFirst ? last.probability : 1 - last.probability;
    return `You chose the ${last.choseFirst ? "first" : "second"}; the judge had given it ${percent(given)}: ${last.isRight ? "right" : "wrong"}.`;
  }

  function draw() {
    if (!answer || answer.choices !== lab.state.get("choices")) return;
    const guesses = answer.predictions.length, count = answer.losses.length;
    guess.replaceChildren(told());
    if (answer.next !== undefined && answer.choices.length < most && count && lab.state.get("guess")) {
      const first = answer.next >= 0.5, p = first ? answer.next : 1 - answer.next;
      guess.append(" Of this pair it guesses that you prefer ", el("b", { class: "of-reward" }, `the ${first ? "first" : "second"}, ${percent(p)}`), ".");
    }
    facts(list, [
      ["choices", String(count), answer.choices.length > count ? `${answer.choices.length - count} left out` : `of at most ${most}`],
      ["guessed right", guesses ? `${answer.right} of ${guesses}` : "–", guesses ? `a coin does as well ${percent(answer.coin)} of the time` : "from the second choice on"],
      count && ["loss of the next", fixed(answer.surprises.reduce((a, b) => a + b, 0) / count), "mean, in nats; ln 2 = 0.69 knows nothing"],
    ]);
    const at = list => list.map((y, i) => [i + 1, y]);
    curve.hidden = count === 0;
    curve.show({
      lines: [{ name: "choices so far, after learning", concept: "loss", points: at(answer.losses) }],
      dots: [{ name: "each choice, before it was learned", concept: "reward", points: at(answer.surprises) }],
      rules: [{ y: Math.LN2, name: "ln 2: a coin" }],
    });
  }
}
