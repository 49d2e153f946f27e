// Line and scatter charts in SVG, drawn from values; one color a concept.
import { el, svg } from "./dom.js";
import { powerOfTen, scaled, significant } from "./numbers.js";

/// chart({ label, x: { name, log, base, range, format }, y: {…} })
///
/// A logarithmic axis has its numbers at powers of `base`, which is 10 unless it is given.
///
/// `.show({ lines: [{ name, concept, points: [[x, y], …], dashed }], dots: [{ concept, points, names, onDrag }],
///          areas: [{ from, to, name }], rules: [{ x | y, name }] })`
export function chart({ label, x, y, ratio = 0.56, key = true }) {
  const picture = svg("svg", { class: "chart", role: "img", "aria-label": label });
  const legend = el("p", { class: "key" });
  const readout = el("p", { class: "readout" });
  const figure = el("figure", { class: "charted" }, el("figcaption", {}, label), picture, key && legend, readout);
  let content;
  const edges = { left: 52, right: 12, top: 10, bottom: 40 };
  const room = text => 6.4 * text.length;

  function draw() {
    if (!content) return;
    const width = Math.max(260, figure.clientWidth || 560), height = Math.round(Math.max(170, width * ratio));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.replaceChildren();
    const { lines = [], dots = [], areas = [], rules = [] } = content;
    const all = [...lines, ...dots].flatMap(part => part.points).filter(p => p.every(Number.isFinite));
    const upward = axis(y, all.map(p => p[1]), height - edges.bottom, edges.top);
    edges.left = Math.max(52, 26 + Math.max(...upward.ticks.map(tick => room(upward.format(tick)))));
    const place = [axis(x, all.map(p => p[0]), edges.left, width - edges.right), upward];
    const [px, py] = place.map(a => a.place);
    const clipped = `clip-${Math.random().toString(36).slice(2)}`;
    picture.append(svg("clipPath", { id: clipped }, svg("rect", {
      x: edges.left, y: edges.top - 4, width: width - edges.left - edges.right + 6, height: height - edges.bottom - edges.top + 8 })));
    for (const tick of place[0].ticks) {
      picture.append(svg("line", { class: "grid", x1: px(tick), x2: px(tick), y1: edges.top, y2: height - edges.bottom }),
        svg("text", { x: px(tick), y: height - edges.bottom + 16, "text-anchor": "middle" }, place[0].format(tick)));
    }
    for (const tick of place[1].ticks) {
      picture.append(svg("line", { class: "grid", x1: edges.left, x2: width - edges.right, y1: py(tick), y2: py(tick) }),
        svg("text", { x: edges.left - 7, y: py(tick) + 4, "text-anchor": "end" }, place[1].format(tick)));
    }
    picture.append(
      svg("text", { class: "axis", x: (edges.left + width - edges.right) / 2, y: height - 5, "text-anchor": "middle" }, x.name ?? ""),
      svg("text", { class: "axis", x: 0, y: 0, "text-anchor": "middle", transform: `translate(12 ${(height - edges.bottom) / 2 + 6}) rotate(-90)` }, y.name ?? ""));
    const inside = svg("g", { "clip-path": `url(#${clipped})` });
    picture.append(inside);
    for (const area of areas) {
      inside.append(svg("rect", { class: `area of-${area.concept ?? "ink"}`, x: px(area.from), width: Math.max(0, px(area.to) - px(area.from)),
        y: edges.top, height: height - edges.bottom - edges.top }));
    }
    for (const rule of rules) {
      const at = rule.x !== undefined
        ? { x1: px(rule.x), x2: px(rule.x), y1: edges.top, y2: height - edges.bottom }
        : { x1: edges.left, x2: width - edges.right, y1: py(rule.y), y2: py(rule.y) };
      inside.append(svg("line", { class: `rule of-${rule.concept ?? "ink"}`, ...at }));
      if (rule.name) inside.append(svg("text", { class: "note", x: at.x1 + 5, y: at.y1 + (rule.x !== undefined ? 12 : -5) }, rule.name));
    }
    for (const line of lines) {
      const path = line.points.filter(p => p.every(Number.isFinite)).map((p, i) => `${i ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join("");
      inside.append(svg("path", { class: `line of-${line.concept ?? "ink"}${line.dashed ? " dashed" : ""}${line.faint ? " faint" : ""}`, d: path }));
    }
    const spots = dots.flatMap(group => group.points.map((p, i) => ({ group, i, x: px(p[0]), y: py(p[1]), r: group.radius ?? 4.5, name: group.names?.[i] })));
    for (const { group, i, x: cx, y: cy, r, name } of spots) {
      if (r === 0) continue;
      const dot = svg("circle", { class: `dot of-${group.concept ?? "ink"}${group.onDrag ? " draggable" : ""}`, cx, cy, r }, name && svg("title", {}, name));
      inside.append(dot);
      if (group.onDrag) drag(dot, i, group, place, [width, height]);
    }
    picture.append(...namesBeside(spots, { left: edges.left, right: width - 2, top: edges.top - 4, bottom: height - edges.bottom }));
    legend.replaceChildren(...[...lines, ...dots].filter(part => part.name).map(part =>
      el("span", { class: `of-${part.concept ?? "ink"}${part.dashed ? " dashed" : ""}` }, el("i"), part.name)));
  }

  function drag(dot, index, group, place, [width, height]) {
    dot.addEventListener("pointerdown", event => {
      event.preventDefault();
      const move = e => {
        const box = picture.getBoundingClientRect();
        group.onDrag(index, place[0].value((e.clientX - box.left) / box.width * width), place[1].value((e.clientY - box.top) / box.height * height));
      };
      const end = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", end); };
      addEventListener("pointermove", move);
      addEventListener("pointerup", end);
    });
  }

  new ResizeObserver(draw).observe(figure);
  return Object.assign(figure, {
    show(next) { content = next; draw(); },
    say(text) { readout.textContent = text; },
  });
}

/// The names of spots, each where it covers neither a spot nor another name; a name without such a place is left out, and
/// is told when one points at its spot.
function namesBeside(spots, frame) {
  const taken = spots.filter(s => s.r > 0).map(({ x, y, r }) => [x - r, x + r, y - r, y + r]);
  return spots.filter(s => s.name).flatMap(({ group, x, y, r, name }) => {
    const wide = 6 * name.length + 2;
    const places = [[x + r + 3, y - 4, "start"], [x - r - 3, y - 4, "end"], [x + r + 3, y + 11, "start"], [x - r - 3, y + 11, "end"],
      [x, y - r - 5, "middle"], [x, y + r + 13, "middle"]];
    // Beside a line that rises, numbers of contours are easier to read under it.
    for (const [at, base, anchor] of r ? places : [places[2], ...places]) {
      const left = at - { start: 0, middle: wide / 2, end: wide }[anchor], box = [left, left + wide, base - 9, base + 2];
      const isFree = box[0] >= frame.left && box[1] <= frame.right && box[2] >= frame.top && box[3] <= frame.bottom
        && taken.every(t => box[1] < t[0] || box[0] > t[1] || box[3] < t[2] || box[2] > t[3]);
      if (!isFree) continue;
      taken.push(box);
      return [svg("text", { class: `note${group.concept === "muted" ? " quiet" : ""}`, x: at, y: base, "text-anchor": anchor }, name)];
    }
    return [];
  });
}

/// Places values of an axis between two pixels, with ticks.
function axis({ log = false, base = 10, range, format }, values, from, to) {
  let [low, high] = range ?? [Math.min(...values), Math.max(...values)];
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = log ? [1, 10] : [0, 1];
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  if (!range && !log) { const margin = (high - low) * 0.05; low -= low === 0 ? 0 : margin; high += margin; }
  if (!range && log) { const margin = (high / low) ** 0.04; low /= margin; high *= margin; }
  const f = log ? Math.log10 : v => v;
  const place = v => from + (f(v) - f(low)) / (f(high) - f(low)) * (to - from);
  const value = p => {
    const t = f(low) + (p - from) / (to - from) * (f(high) - f(low));
    return log ? 10 ** t : t;
  };
  const room = Math.max(2, Math.floor(Math.abs(to - from) / (from < to ? 70 : 36)));
  return { place, value, ticks: log ? powers(low, high, room, base) : steps(low, high, room), format: format ?? (log ? v => v < 1000 ? plainNumber(v) : v < 1e15 ? scaled(v) : powerOfTen(v) : v => plainNumber(v)) };
}

function steps(low, high, room) {
  const rough = (high - low) / room, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/// base^k from low to high: every k, or every second, fifth, tenth, … where there is no room for all.
function powers(low, high, room, base) {
  const [first, last] = [Math.ceil(Math.log(low) / Math.log(base) - 1e-9), Math.floor(Math.log(high) / Math.log(base) + 1e-9)];
  const every = [1, 2, 5, 10, 20, 50, 100].find(n => Math.floor(last / n) - Math.ceil(first / n) + 1 <= room) ?? 200;
  const ticks = [];
  for (let p = Math.ceil(first / every) * every; p <= last; p += every) ticks.push(base ** p);
  if (base === 10 && ticks.length < 3 && last - first < 2) {
    ticks.length = 0;
    for (let p = first - 1; p <= last; p++) for (const m of [1, 2, 5]) { const v = m * 10 ** p; if (v >= low && v <= high) ticks.push(v); }
  }
  return ticks.length < 2 ? steps(low, high, room) : ticks;
}

/// 0.5, 20, 1000, 2·10⁶: no more digits than the tick has.
function plainNumber(v) {
  if (v === 0) return "0";
  const size = Math.abs(v);
  return size >= 1e-3 && size < 1e5 ? String(Number(v.toPrecision(6))).replace("-", "−") : significant(v, 2);
}
