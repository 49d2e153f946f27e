// Step 7: the map of concepts.
import { announce, el, svg } from "../../common/dom.js";
import { tex } from "../../common/math.js";

export function concepts(lab) {
  lab.value("concept", "attention", text => /^[a-z-]{1,40}$/.test(text) ? text : undefined);
  const search = el("input", { type: "search", name: "search", placeholder: "Search the map", "aria-label": "Search the map", oninput: () => filter() });
  lab.controls.append(el("label", { class: "text" }, search));
  const columns = el("div", { class: "columns" }), edges = svg("svg", { class: "edges", "aria-hidden": "true" });
  const details = el("div", { class: "details", "aria-live": "polite" });
  lab.add(el("div", { class: "map" }, el("div", { class: "web" }, edges, columns), details));
  const buttons = new Map();
  let all = new Map(), users = new Map();

  lab.live("concepts", () => ({}), value => {
    all = new Map(value.concepts.map(c => [c.id, c]));
    users = new Map(value.concepts.map(c => [c.id, value.concepts.filter(o => o.uses.includes(c.id))]));
    columns.replaceChildren(...value.fields.map(field => el("div", { class: "column", role: "group", "aria-label": field },
      el("h3", {}, field), ...value.concepts.filter(c => c.field === field).map(c => {
        const button = el("button", { type: "button", class: "concept", tabindex: "-1", onclick: () => choose(c.id) }, c.name);
        button.addEventListener("keydown", walk);
        buttons.set(c.id, button);
        return button;
      }))));
    show();
  });
  lab.state.onChange(show);
  new ResizeObserver(drawEdges).observe(columns);

  function choose(id) { lab.state.set("concept", id); }

  function show() {
    if (!all.size) return;
    const concept = all.get(lab.state.get("concept")) ?? all.get("attention");
    const made = new Set(concept.uses), makes = new Set(users.get(concept.id).map(c => c.id));
    for (const [id, button] of buttons) {
      const isChosen = id === concept.id;
      button.setAttribute("aria-pressed", String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
      button.classList.toggle("source-of", made.has(id));
      button.classList.toggle("made-of", makes.has(id));
    }
    const links = (title, list) => list.length ? [el("h3", {}, title), el("p", {}, ...list.flatMap(c => [el("button", { type: "button", class: "hop", onclick: () => { choose(c.id); buttons.get(c.id).focus(); } }, c.name), " "]))] : [];
    const paths = (title, list) => list.length ? [el("h3", {}, title), el("ul", {}, ...list.map(path => el("li", {}, el("code", {}, path))))] : [];
    details.replaceChildren(el("h2", {}, concept.name), el("p", {}, concept.what),
      concept.formula ? tex(concept.formula, true) : "",
      ...links("Made of", concept.uses.map(id => all.get(id))), ...links("Used by", users.get(concept.id)),
      el("h3", {}, "Works in"), el("p", {}, ...concept.steps.flatMap(step => [el("a", { href: `#${step}` }, `step: ${step}`), " "])),
      ...paths("Computed by", concept.files), ...paths("More in", concept.documents));
    drawEdges();
  }

  /// From the chosen concept to its neighbors only: all edges at once would be a hairball.
  function drawEdges() {
    const box = columns.getBoundingClientRect();
    edges.style.setProperty("width", `${box.width}px`);
    edges.style.setProperty("height", `${box.height}px`);
    edges.replaceChildren();
    const concept = all.get(lab.state.get("concept"));
    if (!concept || getComputedStyle(edges).display === "none") return;
    const middle = id => {
      const b = buttons.get(id).getBoundingClientRect();
      return [b.left - box.left, b.right - box.left, b.top - box.top + b.height / 2];
    };
    const [left, right, y] = middle(concept.id);
    for (const [ids, kind] of [[concept.uses, "source-of"], [users.get(concept.id).map(c => c.id), "made-of"]]) {
      for (const id of ids) {
        const [l, r, yy] = middle(id);
        const [from, to] = r < left ? [r, left] : l > right ? [l, right] : [l, left];
        const bend = Math.max(24, Math.abs(to - from) / 2) * (to > from ? 1 : -1);
        const [b1, b2] = from === l && to === left ? [-24, -24] : [bend, -bend];
        edges.append(svg("path", { class: kind, d: `M${from} ${yy}C${from + b1} ${yy} ${to + b2} ${y} ${to} ${y}` }));
      }
    }
  }

  /// Arrow keys walk through the columns.
  function walk(event) {
    const list = [...event.target.parentElement.querySelectorAll(".concept:not([hidden])")], at = list.indexOf(event.target);
    const side = step => {
      let column = event.target.parentElement;
      do column = column[step]; while (column && !column.querySelector(".concept:not([hidden])"));
      const others = [...column?.querySelectorAll(".concept:not([hidden])") ?? []];
      return others[Math.min(at, others.length - 1)];
    };
    const next = { ArrowDown: () => list[at + 1], ArrowUp: () => list[at - 1], ArrowRight: () => side("nextElementSibling"), ArrowLeft: () => side("previousElementSibling"),
      Home: () => list[0], End: () => list.at(-1) }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
    const [id] = [...buttons].find(([, button]) => button === next);
    choose(id);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [id, button] of buttons) {
      const c = all.get(id), text = `${c.name} ${c.what} ${c.field}`.toLowerCase();
      button.hidden = !words.every(word => text.includes(word));
      if (!button.hidden) count++;
    }
    if (words.length) announce(`${count} concepts`);
    // The chosen one may be hidden: let the keyboard find another.
    const visible = [...buttons].filter(([, b]) => !b.hidden);
    if (visible.length && !visible.some(([, b]) => b.tabIndex === 0)) visible[0][1].tabIndex = 0;
    drawEdges();
  }
}
