// Questions to the program behind the page. In an exported page the answers were recorded.

/// The recording of an exported page; undefined while a program answers.
export const recording = globalThis.nablaRecording;

/// The answers of this visit, oldest first: { address, milliseconds, file }. The newest thousand.
export const history = [];

/// What is asked: a step's computation with its query, in a fixed order of fields.
export function path(step, name, query) {
  const fields = Object.entries(query).filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(value === true ? 1 : value === false ? 0 : value)}`);
  return `${step}/${name}${fields.length ? "?" + fields.join("&") : ""}`;
}

/// The answer { value, milliseconds, file }.
/// Throws an Error with a message for the reader where the question is refused, and Disconnected where nobody answers.
export async function ask(step, name, query = {}) {
  const address = path(step, name, query);
  if (recording) return recordedAnswer(address);
  let response;
  try {
    response = await fetch(`api/${address}`);
  } catch {
    throw new Disconnected();
  }
  const answer = await response.json().catch(() => ({ problem: `the answer has status ${response.status}` }));
  if (!response.ok) throw new Error(answer.problem ?? `the answer has status ${response.status}`);
  history.push({ address, milliseconds: answer.milliseconds, file: answer.file });
  if (history.length > 1000) history.shift();
  return answer;
}

export class Disconnected extends Error {
  constructor() { super("the program behind this page does not answer"); }
}

/// The recorded answer to this question, or to the nearest one: the same computation and words, numbers as near as any.
/// `snapped` is the question that it answers, where that is another one. A field that was not recorded has its default.
function recordedAnswer(address) {
  const [name, query] = split(address);
  let nearest, least = Infinity;
  for (const candidate of recording.answers[name] ?? []) {
    let distance = 0.01 * Object.keys(query).filter(key => !(key in candidate.query)).length;
    for (const [key, text] of Object.entries(candidate.query)) {
      const [a, b] = [Number(query[key]), Number(text)];
      if (query[key] === text) continue;
      if (query[key] === undefined) { distance += 5; continue; }
      distance += Number.isFinite(a) && Number.isFinite(b) ? 1 + Math.abs(a - b) / (1 + Math.abs(b)) : 1e6;
    }
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  if (!nearest) throw new Error("this was not recorded: start nabla studio to compute it");
  const { value, ...source } = nearest.answer;
  return { value: structuredClone(value), ...source, snapped: nearest.query };
}

function split(address) {
  const [name, query = ""] = address.split("?");
  return [name, Object.fromEntries(query.split("&").filter(Boolean).map(part => {
    const [key, text = ""] = part.split("=");
    return [key, decodeURIComponent(text)];
  }))];
}

/// A training that goes on while the page watches. `onFrame` gets an object of what is new: values by name, and lists
/// under "+name". Its last frame has `done`, and `failure` if it went wrong.
export class Job {
  constructor(step, name, query, onFrame) {
    this.id = undefined;
    this.isOver = false;
    this.controls = {};
    this.source = new EventSource(`api/${path(step, `${name}/stream`, query)}`);
    this.source.onmessage = event => {
      const frame = JSON.parse(event.data);
      if (frame.job) { this.id = frame.job; this.file = frame.file; this.send(); return; }
      if (frame.done) this.stop();
      onFrame(frame);
    };
    // The browser would start the training anew.
    this.source.onerror = () => {
      if (this.isOver) return;
      this.stop();
      onFrame({ done: true, failure: "the training ended: the program behind this page is gone, or has too many trainings" });
    };
  }

  /// What the page's controls say: { paused: true, rate: 0.001 }.
  control(values) { Object.assign(this.controls, values); this.send(); }

  send() {
    if (!this.id || this.isOver || Object.keys(this.controls).length === 0) return;
    if (this.sending) { this.sendAgain = true; return; }
    this.sending = true;
    fetch(`api/${path("jobs", this.id, this.controls)}`, { method: "POST" }).catch(() => {}).finally(() => {
      this.sending = false;
      if (this.sendAgain) { this.sendAgain = false; this.send(); }
    });
  }

  stop() { this.isOver = true; this.source.close(); }
}
