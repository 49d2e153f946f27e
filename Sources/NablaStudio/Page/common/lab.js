// The laboratory of a scene: controls that are bound to the address, answers that follow them, and the quiet line under
// it that says where the numbers come from.
import { ask, Disconnected, Job, recording } from "./ask.js";
import { announce, el } from "./dom.js";
import { scaled, typed } from "./numbers.js";

export class Lab {
  /// - root: the element to fill
  /// - state: the step's State
  /// - isGone(): whether the reader has left the step
  constructor(root, step, state, isGone) {
    Object.assign(this, { root, step, state, isGone });
    this.controls = el("div", { class: "controls" });
    // What the address asked for and did not get, by name, until the reader chooses something else.
    this.refused = new Map();
    this.refusal = el("p", { class: "problem", role: "status", hidden: true });
    this.problem = el("p", { class: "problem", role: "status", hidden: true });
    this.source = el("p", { class: "source" });
    root.append(this.controls, this.refusal, this.problem);
    this.jobs = [];
  }

  /// Puts elements into the laboratory, in order.
  add(...elements) { this.root.append(...elements); return elements[0]; }

  /// A row of elements side by side, one under another where there is no room.
  row(...elements) { return this.add(el("div", { class: "row" }, ...elements)); }

  finish() { this.root.append(this.source); }

  // MARK: Controls. Each has a name in the address, a label, and its value in words.

  /// slider("layer", { label: "Layer", min: 0, max: 29, step: 1, value: 2, words: v => `layer ${v + 1}` })
  /// With `list` it steps through those values.
  slider(name, { label, title, min, max, step = 1, value, words = String, list, place = this.controls }) {
    const choices = list ? { min: 0, max: list.length - 1, step: 1 } : { min, max, step };
    const read = text => {
      const number = text.trim() === "" ? NaN : Number(text);
      if (list) return list.find(v => v === number);
      return Number.isFinite(number) && number >= min && number <= max ? number : undefined;
    };
    this.state.declare(name, value, read);
    const output = el("output", {});
    const toInput = v => list ? list.indexOf(v) : v;
    const input = el("input", { type: "range", ...choices, name, "aria-label": title,
      oninput: () => this.state.set(name, list ? list[Number(input.value)] : Number(input.value)) });
    this.bind(name, v => {
      if (Number(input.value) !== toInput(v)) input.value = toInput(v);
      output.textContent = words(v);
      input.setAttribute("aria-valuetext", words(v));
    });
    const wrapper = el("label", { class: "slider" }, el("span", {}, label), output, input);
    place.append(wrapper);
    return wrapper;
  }

  /// A choice between few things: choice("mask", { label, value: "causal", options: { causal: "causal", none: "none" } })
  choice(name, { label, value, options, place = this.controls }) {
    this.state.declare(name, value, text => text in options ? text : undefined);
    const buttons = Object.entries(options).map(([key, words]) => {
      const input = el("input", { type: "radio", name: `${this.step}-${name}`, value: key, onchange: () => this.state.set(name, key) });
      return [key, input, el("label", {}, input, el("span", {}, words))];
    });
    this.bind(name, v => { for (const [key, input] of buttons) input.checked = key === v; });
    const group = el("fieldset", { class: "choice" }, el("legend", {}, label), el("div", {}, ...buttons.map(b => b[2])));
    place.append(group);
    return group;
  }

  toggle(name, { label, value, place = this.controls }) {
    this.state.declare(name, value, text => text === "1" ? true : text === "0" ? false : undefined);
    const input = el("input", { type: "checkbox", name, onchange: () => this.state.set(name, input.checked) });
    this.bind(name, v => { input.checked = v; });
    const wrapper = el("label", { class: "toggle" }, input, el("span", {}, label));
    place.append(wrapper);
    return wrapper;
  }

  text(name, { label, value, most = 10_000, place = this.controls }) {
    this.state.declare(name, value, text => text);
    const input = el("textarea", { rows: 2, name, spellcheck: "false", dir: "auto", oninput: () => this.state.set(name, input.value) });
    this.bind(name, v => { if (input.value !== v) input.value = v; });
    const wrapper = el("label", { class: "text" }, el("span", {}, label), input);
    place.append(wrapper);
    return wrapper;
  }

  /// A number that is typed, as 70B, 1.4T or 7e9.
  quantity(name, { label, min, max, value, place = this.controls }) {
    const read = text => { const number = typed(text); return number >= min && number <= max ? number : undefined; };
    this.state.declare(name, value, read);
    const input = el("input", { type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false", name, oninput: () => {
      const number = read(input.value);
      input.setAttribute("aria-invalid", String(number === undefined));
      this.wrong(number === undefined && `${label}: write a number from ${scaled(min)} to ${scaled(max)}, such as 70B, 1.4T or 7e9`);
      if (number !== undefined) this.state.set(name, number);
    } });
    this.bind(name, v => { if (read(input.value) !== v) input.value = scaled(v, 6); });
    const wrapper = el("label", { class: "quantity" }, el("span", {}, label), input);
    place.append(wrapper);
    return wrapper;
  }

  /// A value of the address without a control of its own (points that are dragged, say). `read` as in State.
  value(name, initial, read) {
    const value = this.state.declare(name, initial, read);
    this.tellRefusal(name);
    return value;
  }

  button(label, onclick, { place = this.controls } = {}) {
    const button = el("button", { type: "button", onclick }, label);
    place.append(button);
    return button;
  }

  bind(name, show) {
    this.tellRefusal(name);
    show(this.state.get(name));
    let last = this.state.get(name);
    this.state.onChange(() => {
      const now = this.state.get(name);
      if (!Object.is(now, last)) { last = now; show(now); }
    });
  }

  /// Says what is wrong with the last question; nothing where `text` is empty.
  wrong(text) { say(this.problem, text); }

  /// Says that the address had no fitting value for this control, and what it is instead. An answer leaves that alone: it
  /// goes when the reader chooses a value.
  tellRefusal(name) {
    const given = this.state.takeRefused(name);
    if (given === undefined) return;
    const value = this.state.get(name);
    const shown = given.length > 24 ? `${given.slice(0, 24)}…` : given;
    this.refused.set(name, `${name} cannot be “${shown}”, as the address says: it is ${value === "" ? "not set" : value} here.`);
    const tell = () => say(this.refusal, [...this.refused.values()].join(" "));
    tell();
    this.state.onChange(() => {
      if (!Object.is(this.state.get(name), value) && this.refused.delete(name)) tell();
    });
  }

  // MARK: Answers

  /// Asks for `name` with `query(values)` now and after each change of it, and draws the answer. One question at a time is
  /// on its way; of those that come up meanwhile only the last is asked.
  ///
  /// - draw(value, query): shows the answer to the query
  live(name, query, draw, { seed } = {}) {
    let asked, isAsking = false, isWanted = false;
    const run = async () => {
      if (this.isGone()) return;
      const now = query(this.state);
      if (now === undefined) return;
      const key = JSON.stringify(now);
      if (key === asked) return;
      if (isAsking) { isWanted = true; return; }
      [isAsking, asked] = [true, key];
      const late = setTimeout(() => this.root.setAttribute("aria-busy", "true"), 250);
      try {
        const answer = await ask(this.step, name, now);
        if (answer.snapped) this.state.snap(Object.keys(now), answer.snapped);
        if (!this.isGone()) {
          this.wrong();
          draw(answer.value, (answer.snapped && query(this.state)) ?? now);
          this.cite(answer, seed?.(this.state));
        }
      } catch (error) {
        // Asked again when the program is back.
        if (error instanceof Disconnected) asked = undefined;
        else { this.wrong(error.message); if (error.stack && !/^[a-z]/.test(error.message)) console.error(error); }
      } finally {
        clearTimeout(late);
        this.root.removeAttribute("aria-busy");
        isAsking = false;
      }
      if (isWanted) { isWanted = false; run(); }
    };
    this.state.onChange(run);
    addEventListener("nabla:connected", run);
    // Another model may answer otherwise.
    addEventListener("nabla:model", () => { asked = undefined; run(); });
    run();
  }

  /// "computed now · seed 1 · 3.2 ms · Sources/…/AttendHead.swift"
  cite({ milliseconds, file, model, snapped }, seed) {
    const parts = [snapped ? "recorded" : "computed now", model, seed !== undefined && `seed ${seed}`,
      milliseconds !== undefined && `${milliseconds} ms`].filter(Boolean);
    this.source.replaceChildren(parts.join(" · ") + " · ", el("code", {}, file));
  }

  // MARK: Jobs

  /// Starts a training that the page watches; ends when the reader leaves the step.
  job(name, query, onFrame) {
    if (recording) { this.wrong("A recorded page cannot train: start nabla studio to do it live."); return undefined; }
    this.wrong();
    const job = new Job(this.step, name, query, frame => {
      if (this.isGone()) { job.stop(); return; }
      if (frame.failure) { this.wrong(frame.failure); announce(frame.failure); }
      onFrame(frame);
    });
    this.jobs.push(job);
    return job;
  }

  leave() { for (const job of this.jobs) job.stop(); }
}

function say(place, text) {
  place.hidden = !text;
  if (place.textContent !== (text || "")) place.textContent = text || "";
}
