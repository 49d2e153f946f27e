// Draws the maps of the policy and of the value function, of one agent or of several.
const hues = ["accent", "second", "third", "alert"];
const channels = hex => [1, 3, 5].map(start => parseInt(hex.slice(start, start + 2), 16));
const pack = color => (255 << 24 | color[2] << 16 | color[1] << 8 | color[0]) >>> 0;
const blend = (a, b, share) => a.map((value, k) => Math.round(value + (b[k] - value) * share));
const format = value => Number(value.toPrecision(3));
// A colored square and its meaning; names come from outside, so they are text and never markup.
const swatch = (color, text) => {
  const [item, square] = [document.createElement("span"), document.createElement("i")];
  square.style.background = color;
  item.append(square, String(text));
  return item;
};

const drawMaps = (map, container) => {
  const [columns, rows] = [map.x.count, map.y.count];
  const finite = map.values.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const discrete = !map.bounds;
  // The lowest row stands below.
  const cell = (x, y) => (rows - 1 - y) * columns + x;
  const best = index =>
    map.policy.reduce((best, row, action) => row[index] > map.policy[best][index] ? action : best, 0);
  const [policy, value] = ["policy", "value"].map(name => container.querySelector(`.${name}-map`));
  const key = (name, items) => container.querySelector(`.${name}-key`).replaceChildren(...items);

  nabla.onTheme(() => {
    const heat = nabla.palette(["heat-0", "heat-1", "heat-2", "heat-3"]);
    const signed = nabla.palette(["cold", "neutral", "warm"]);
    nabla.paint(value, columns, rows, (x, y) =>
      heat[Math.round((map.values[cell(x, y)] - least) / ((most - least) || 1) * 255)]);
    if (discrete) {
      const colors = map.actions.map((_, action) => channels(nabla.color(hues[action % hues.length])));
      const ground = channels(nabla.color("surface"));
      const floor = map.actions.length > 1 ? 1 / map.actions.length : 0;
      nabla.paint(policy, columns, rows, (x, y) => {
        const index = cell(x, y), action = best(index);
        const certainty = (map.policy[action][index] - floor) / (1 - floor);
        return pack(blend(ground, colors[action], 0.12 + 0.88 * certainty));
      });
      key("policy", map.actions.map((name, action) => swatch(nabla.color(hues[action % hues.length]), name)));
    } else {
      const [low, high] = map.bounds;
      nabla.paint(policy, columns, rows, (x, y) => {
        const share = (map.policy[0][cell(x, y)] - low) / (high - low);
        return signed[Math.round(Math.min(1, Math.max(0, share)) * 255)];
      });
      key("policy", [
        swatch("var(--cold)", `${map.actions[0]} ${format(low)}`), swatch("var(--warm)", format(high)),
      ]);
    }
    key("value", [swatch("var(--heat-0)", format(least)), swatch("var(--heat-3)", format(most))]);
  });

  const place = (axis, index) => format(axis.low + (index + 0.5) / axis.count * (axis.high - axis.low));
  for (const canvas of [policy, value]) {
    canvas.addEventListener("pointermove", event => {
      const [x, y] = nabla.cell(canvas, event, columns, rows);
      const index = cell(x, y);
      const actions = map.actions.map((name, action) => discrete
        ? `${name} ${(100 * map.policy[action][index]).toFixed(0)} %` : `${name} ${format(map.policy[action][index])}`);
      nabla.showTip(`${map.x.name} ${place(map.x, x)}, ${map.y.name} ${place(map.y, rows - 1 - y)}\n` +
        `value ${format(map.values[index])}\n${actions.join(", ")}`, event);
    });
    canvas.addEventListener("pointerleave", nabla.hideTip);
  }
};

const containers = document.querySelectorAll("#policy .maps-of-policy");
nabla.data("policy-data").forEach((map, index) => drawMaps(map, containers[index]));
