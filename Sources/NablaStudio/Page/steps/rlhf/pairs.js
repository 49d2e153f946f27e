// The pairs of completions that several laboratories of this step look at.
import { ask, recording } from "../../common/ask.js";

/// How many the reader can rank; a recorded page has three.
export const most = recording ? 3 : 30;

const asked = new Map();   // `${seed} ${index}` → promise of a pair
const known = new Map();   // the same → the pair

/// The pair { prompt, completions: [{ text, isCut, traits }], model, isTrained }. Sampled once, however often it is asked for.
export function pair(seed, index) {
  const key = `${seed} ${index}`;
  if (!asked.has(key)) {
    asked.set(key, ask("rlhf", "pair", { seed, index }).then(({ value }) => { known.set(key, value); return value; },
      error => { asked.delete(key); throw error; }));
  }
  return asked.get(key);
}

export const isKnown = (seed, index) => known.has(`${seed} ${index}`);

/// Declares what the pairs depend on: the seed, and the choices so far, a letter a pair.
export function declare(lab) {
  lab.value("seed", 1, text => /^\d{1,3}$/.test(text) ? Number(text) : undefined);
  lab.value("choices", "", text => text.length <= most && /^[abs]*$/.test(text) ? text : undefined);
}

/// The pairs ranked so far and the next one, or undefined while some are not sampled yet.
export function ranked(state) {
  const [seed, choices] = [state.get("seed"), state.get("choices")];
  const pairs = [];
  for (let i = 0; i <= Math.min(choices.length, most); i++) pairs.push(known.get(`${seed} ${i}`));
  return pairs.slice(0, choices.length).every(Boolean) && (choices.length >= most || pairs.at(-1))
    ? { seed, choices, pairs, query: { seed, choices } } : undefined;
}

/// A completion as it is shown: with "…" where it was cut, and line breaks kept.
export const shown = completion => (completion.text.trim() || "(it says nothing)") + (completion.isCut ? " …" : "");
