// What the reader has chosen. The address holds all of it, so that the same address shows the same page:
//   #attention?layer=3&text=The%20cat

/// The values of one step's controls. Each control declares its default and how it is read; only what differs from its
/// default is in the address.
export class State {
  constructor(step, fields) {
    this.step = step;
    this.given = fields;        // as they stand in the address, strings
    this.controls = new Map();  // name → { value, initial, read, show }
    this.listeners = new Set();
    this.queued = false;
  }

  /// - read: makes a value of the address's text; gives undefined for what is out of range
  declare(name, initial, read) {
    if (this.controls.has(name)) return this.get(name);
    const text = this.given[name];
    const value = text === undefined ? undefined : read(text);
    const refused = text !== undefined && value === undefined ? text : undefined;
    this.controls.set(name, { value: value ?? initial, initial, read, refused });
    return this.get(name);
  }

  get(name) { return this.controls.get(name)?.value; }

  /// What the address had for this control and the control cannot be; undefined when it has been taken.
  takeRefused(name) {
    const control = this.controls.get(name), text = control?.refused;
    if (control) control.refused = undefined;
    return text;
  }

  set(name, value) {
    const control = this.controls.get(name);
    if (!control || Object.is(control.value, value)) return;
    control.value = value;
    this.changed();
  }

  /// Several at once; names that no control has are left out.
  setAll(values) { for (const [name, value] of Object.entries(values)) this.set(name, value); }

  /// Takes the values of a recorded question; what was not recorded gets its default.
  snap(names, fields) {
    for (const name of names) {
      const control = this.controls.get(name);
      if (control) this.set(name, (name in fields ? control.read(fields[name]) : undefined) ?? control.initial);
    }
  }

  reset() { for (const control of this.controls.values()) control.value = control.initial; this.changed(); }

  changed() {
    if (this.queued) return;
    this.queued = true;
    // Once a frame: sliders send more events than that.
    requestAnimationFrame(() => {
      this.queued = false;
      saveAddress(this);
      for (const listener of [...this.listeners]) listener();
    });
  }

  /// Calls `listener` after changes.
  onChange(listener) { this.listeners.add(listener); }

  /// The part of an address that holds these values.
  get address() {
    const parts = [];
    for (const [name, control] of this.controls) {
      if (!Object.is(control.value, control.initial)) parts.push(`${name}=${encodeURIComponent(asText(control.value))}`);
    }
    return `#${this.step}${parts.length ? "?" + parts.join("&") : ""}`;
  }
}

export const asText = value => value === true ? "1" : value === false ? "0" : String(value);

/// "#attention?layer=3" → { step: "attention", fields: { layer: "3" } }
export function readAddress(hash = location.hash) {
  const [step, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const fields = {};
  for (const part of query.split("&").filter(Boolean)) {
    const [name, value = ""] = part.split(/=(.*)/s);
    try { fields[decodeURIComponent(name)] = decodeURIComponent(value); } catch { /* a broken escape is no value */ }
  }
  return { step, fields };
}

function saveAddress(state) {
  if (location.hash !== state.address) history.replaceState(null, "", state.address);
}
