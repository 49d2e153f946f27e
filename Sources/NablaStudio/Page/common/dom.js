// Small helpers to make elements.

/// el("button", { type: "button", class: "quiet", onclick: f }, "Text", child, …)
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/// The same for SVG.
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    // Styles are set as properties: the page's security policy forbids style attributes.
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== undefined && child !== null && child !== false));
  return element;
}

/// Fills a definition list with facts: [name, text, note]. What is false is left out.
export function facts(list, rows) {
  list.replaceChildren(...rows.filter(Boolean).map(([name, text, note]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, text, note && el("small", {}, note)))));
}

/// The color of a concept ("query", "key", …) or of the page ("ink", "paper"), as the theme has it now. Asking the browser
/// makes it compute the page's style anew, so that answers are kept.
export function color(name) {
  if (!colors.has(name)) colors.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || name);
  return colors.get(name);
}

const colors = new Map();
const themeListeners = new Set();
const darkness = matchMedia("(prefers-color-scheme: dark)");
darkness.addEventListener("change", () => { colors.clear(); for (const listener of [...themeListeners]) listener(); });

/// Calls `listener` when the theme changes: canvases are drawn anew.
export function onTheme(listener) { themeListeners.add(listener); }
export function forgetThemeListeners() { themeListeners.clear(); }

export const reducesMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/// Says something to a screen reader: a step, a result; never a frame.
export function announce(text) {
  const place = document.getElementById("announcement");
  if (place.textContent !== text) place.textContent = text;
}
