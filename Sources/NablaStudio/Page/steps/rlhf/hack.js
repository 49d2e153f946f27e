// What the learned reward goes along with, and a text that tries to fool it.
import { recording } from "../../common/ask.js";
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { fixed, percent } from "../../common/numbers.js";
import { facts } from "../diffusion/plane.js";
import { declare, ranked, shown } from "./pairs.js";

const traits = {
  words: ["words", v => String(v)], repetition: ["repeated words", v => percent(v)],
  exclamations: ["exclamation marks", v => String(v)], unfinished: ["unfinished", v => v ? "yes" : "no"],
};
const names = Object.keys(traits);

export function hack(lab) {
  declare(lab);
  lab.choice("trait", { label: "Learned reward against", value: "words", options: Object.fromEntries(names.map(name => [name, traits[name][0]])) });
  const empty = lab.add(el("p", { class: "said" }, "Rank a few pairs above: what the judge has learned from you appears here."));
  const x = { name: "" };
  const picture = lab.add(chart({ label: "Learned reward of every completion seen", ratio: 0.42, x, y: { name: "reward" } }));
  const table = el("table", {}), all = el("table", { class: "ranking" });
  const details = el("details", {}, el("summary", {}, "Every completion seen, by learned reward"), el("div", { class: "lens", tabindex: 0, role: "region", "aria-label": "Completions by learned reward" }, all));
  const scored = el("dl", { class: "facts" }), tries = el("div", { class: "controls" }), asked = el("p", { class: "note" });
  const attempt = el("div", {});
  lab.add(table, attempt, details);
  lab.text("text", { label: "Fool the judge: an answer of your own", value: "Thank you! Thank you so much! Thank you!", most: 400, place: attempt });
  attempt.append(asked, tries, scored);
  let answer;

  lab.live("judge", s => ranked(s)?.query, (value, { choices }) => { answer = { ...value, choices }; draw(); lab.state.changed(); }, { seed: s => s.get("seed") });
  if (!recording) {
    // Only what the judge has learned from can be asked: just after "Start over" its last answer is still the old one.
    lab.live("score", s => isJudged(ranked(s)) ? { ...ranked(s).query, text: s.get("text") } : undefined, value => {
      const share = value.seen ? value.below / value.seen : 0;
      facts(scored, [
        ["its reward", fixed(value.reward), "0 is the mean of those seen"],
        ["better than", `${value.below} of ${value.seen}`, share === 1 ? "the best of all: fooled, or good?" : "completions seen"],
        ["words", String(value.traits[0]), `${percent(value.traits[1])} of them repeated`],
      ]);
    }, { seed: s => s.get("seed") });
  }
  lab.state.onChange(draw);
  draw();

  /// Whether the answer at hand is about these choices, and something was learned from them.
  function isJudged(now) { return Boolean(now && answer?.losses.length && answer.choices === now.choices); }

  function draw() {
    const now = ranked(lab.state), isLearned = isJudged(now);
    if (!now || (answer && answer.choices !== now.choices && now.choices)) return;
    empty.hidden = isLearned;
    for (const part of [picture, table, details]) part.hidden = !isLearned;
    attempt.hidden = !isLearned || Boolean(recording);
    if (!isLearned) return;
    const trait = names.indexOf(lab.state.get("trait")), groups = { chosen: [], rejected: [], skipped: [] }, seen = [];
    now.choices.split("").forEach((mark, i) => now.pairs[i].completions.forEach((completion, side) => {
      const kind = mark === "s" ? "skipped" : "ab"[side] === mark ? "chosen" : "rejected";
      groups[kind].push([completion.traits[trait], answer.rewards[i][side]]);
      seen.push({ kind, reward: answer.rewards[i][side], completion, prompt: now.pairs[i].prompt });
    }));
    x.name = traits[names[trait]][0];
    picture.show({
      dots: [{ name: "you chose it", concept: "reward", points: groups.chosen, radius: 6 }, { name: "you did not", concept: "noise", points: groups.rejected },
        groups.skipped.length && { name: "left out", concept: "ink", points: groups.skipped, radius: 2.5 }].filter(Boolean),
      rules: [{ y: 0 }],
    });
    picture.say(`Correlation ${fixed(answer.correlations[trait].correlation)} over ${seen.length} completions.`);
    table.replaceChildren(
      el("tr", {}, ...["", "correlation with the reward", "you took the one with more"].map(name => el("th", { scope: "col" }, name))),
      ...answer.correlations.map(c => el("tr", {}, el("th", { scope: "row" }, traits[c.trait][0]),
        el("td", {}, fixed(c.correlation)), el("td", {}, c.different ? `${c.more} of ${c.different}` : "never differed"))));
    seen.sort((a, b) => b.reward - a.reward);
    all.replaceChildren(...seen.map(s => el("tr", {}, el("th", { scope: "row" }, fixed(s.reward)),
      el("td", {}, el("small", { class: "note" }, `${s.prompt} `), shown(s.completion), s.kind === "chosen" && el("b", { class: "note" }, " · your choice")))));
    asked.textContent = `It is read as an answer to “${now.pairs[now.choices.length - 1].prompt}”`;
    const best = seen[0].completion.text.trim();
    tries.replaceChildren(...[
      ["the best one seen", best], ["the best one, twice", `${best} ${best}`.slice(0, 400)],
      ["its beginning", best.split(/\s+/).slice(0, 6).join(" ")], ["nothing at all", ""],
    ].map(([name, text]) => el("button", { type: "button", onclick: () => lab.state.set("text", text) }, name)));
  }
}

