// Small pieces that the laboratories of step 5 share.
import { el } from "../../common/dom.js";

export { facts } from "../../common/dom.js";

export const tasks = { accent: "rhymes with an accent: de mouse, vhat you are", sums: "sums like 3+4=7" };

/// The choice of what the small model is tuned on, for every laboratory that tunes it.
export function tuneControls(lab) {
  return menu(lab, "task", { label: "The small model, taught nursery rhymes, is tuned on", options: tasks }).wrapper;
}

export const tuneQuery = s => ({ task: s.get("task"), seed: s.get("seed") });

export function declareSeed(lab) {
  lab.value("seed", 1, text => /^\d{1,9}$/.test(text) ? Number(text) : undefined);
}

/// "model.layers.0.self_attn.q_proj" → "layer 1 q_proj"
export function layerName(path) {
  const number = path.match(/layers\.(\d+)/)?.[1];
  return `${number === undefined ? "" : `layer ${Number(number) + 1} `}${path.split(".").at(-1)}`;
}

/// A native choice between many things, bound to the address: of `options` by their keys, or of names by number, which
/// `fill` sets when they are known.
export function menu(lab, name, { label, options, place = lab.controls }) {
  if (options) lab.value(name, Object.keys(options)[0], text => text in options ? text : undefined);
  else lab.value(name, 0, text => /^\d{1,3}$/.test(text) ? Number(text) : undefined);
  const select = el("select", { name, onchange: () => lab.state.set(name, options ? select.value : Number(select.value)),
    style: { font: "inherit", color: "var(--ink)", background: "var(--paper)", border: "1px solid var(--line)", "border-radius": "8px",
      padding: "0.35rem 0.5rem", width: "100%", "min-height": "2rem" } });
  const wrapper = el("label", { style: { display: "grid", gap: "0.2rem", flex: "1 1 12rem", "min-width": "0" } },
    el("span", { style: { color: "var(--muted)" } }, label), select);
  place.append(wrapper);
  const show = value => { if (select.options.length) select.value = options ? value : value % select.options.length; };
  const fill = list => {
    select.replaceChildren(...list.map(([value, text]) => el("option", { value }, text)));
    show(lab.state.get(name));
  };
  if (options) fill(Object.entries(options));
  lab.bind(name, show);
  return { wrapper, fill: names => fill(names.map((text, i) => [i, text])) };
}
