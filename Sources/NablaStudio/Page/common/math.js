// Formulas, set by KaTeX. `\sym{K}{…}` makes a symbol a handle: pointing at it lights up what is called K on the page.
import { el } from "./dom.js";

/// Sets every formula in `root`: <span class="tex">…</span> in a line, <div class="tex">…</div> on its own.
export function setFormulas(root) {
  for (const place of root.querySelectorAll(".tex:not([data-set])")) {
    const source = place.textContent;
    place.dataset.set = "1";
    if (!globalThis.katex) { place.classList.add("plain"); continue; }
    try {
      katex.render(source.trim(), place, {
        displayMode: place.tagName === "DIV", throwOnError: true, trust: true, strict: false,
        macros: { "\\sym": "\\htmlClass{sym sym-#1}{\\htmlData{sym=#1}{#2}}" },
      });
    } catch (error) {
      place.classList.add("plain");
      console.error(`formula: ${error.message}`);
    }
  }
  letScroll();
}

/// A formula that is wider than its column scrolls, also by the keyboard.
function letScroll() {
  for (const place of document.querySelectorAll("div.tex")) {
    if (place.scrollWidth > place.clientWidth) {
      place.tabIndex = 0;
      place.setAttribute("role", "group");
      place.setAttribute("aria-label", "A wide formula");
    } else {
      place.removeAttribute("tabindex");
      place.removeAttribute("role");
      place.removeAttribute("aria-label");
    }
  }
}
addEventListener("resize", letScroll);
document.fonts.addEventListener("loadingdone", letScroll);

/// Lights up everything that is called by the symbol under the pointer: in formulas, in the text, in tensors' captions.
export function connectSymbols(root) {
  const light = (name, isLit) => {
    for (const other of root.querySelectorAll(`[data-sym="${CSS.escape(name)}"], [data-tensor="${CSS.escape(name)}"]`)) {
      other.classList.toggle("lit", isLit);
    }
  };
  let current;
  const change = target => {
    const name = target?.closest?.("[data-sym], [data-tensor]");
    const next = name && root.contains(name) ? name.dataset.sym ?? name.dataset.tensor : undefined;
    if (next === current) return;
    if (current) light(current, false);
    if (next) light(next, true);
    current = next;
  };
  root.addEventListener("pointerover", event => change(event.target));
  root.addEventListener("pointerleave", () => change(undefined));
  root.addEventListener("focusin", event => change(event.target));
  root.addEventListener("focusout", () => change(undefined));
}

/// A formula in a line, for pages made by scripts.
export function tex(source, block = false) {
  const place = el(block ? "div" : "span", { class: "tex" }, source);
  queueMicrotask(() => place.parentElement && setFormulas(place.parentElement));
  return place;
}
