import NablaFormats

/// The value function and the policy over two numbers of the state, as maps.
func policySection(_ source: ReportSource) throws -> ReportSection? {
  guard let map = source.policy?.map else { return nil }
  let x = escapedHTML(map.x.name)
  let y = escapedHTML(map.y.name)
  let ranges = """
    <span class="y-title">\(y)</span><span class="y-ticks"><b>\(tick(map.y.high))</b><b>\(tick(map.y.low))</b></span>
    """
  let below = "<span class=\"x-ticks\"><b>\(tick(map.x.low))</b><b>\(x)</b><b>\(tick(map.x.high))</b></span>"
  func figure(_ id: String, _ title: String, _ caption: String) -> String {
    """
    <figure class="card"><header><h3>\(title)</h3></header>
    <div class="plane">\(ranges)<canvas id="\(id)" role="img" aria-label="\(title) over \(x) and \(y)"></canvas>
    \(below)</div><div class="key" id="\(id)-key"></div><figcaption>\(caption)</figcaption></figure>
    """
  }
  let policyCaption =
    map.bounds == nil
    ? "The colour is that of the likeliest action, and the paler, the less certain."
    : "The mean of the action, as the policy gives it before it is bounded."
  return ReportSection(
    id: "policy", title: "What was learned",
    html: """
      <p>Each point is a state: \(x) from left to right, \(y) from below. \(escapedHTML(map.remark))
      <span class="scripted">Point at a map for its numbers.</span></p>
      <noscript><p class="note">The maps need JavaScript.</p></noscript>
      <div class="charts">
      \(figure("policy-map", "Policy", policyCaption))
      \(figure("value-map", "Value", "What the critic expects to earn from here on, discounted."))
      </div>
      \(try jsonIsland(id: "policy-data", map))
      """,
    script: policyScript)
}

private func tick(_ value: Double) -> String { significant((value * 1000).rounded() / 1000, digits: 3) }

private let policyScript = #"""
  const map = nabla.data("policy-data");
  const [columns, rows] = [map.x.count, map.y.count];
  const finite = map.values.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const discrete = !map.bounds;
  const hues = ["accent", "second", "third", "alert"];
  const channels = hex => [1, 3, 5].map(start => parseInt(hex.slice(start, start + 2), 16));
  const pack = color => (255 << 24 | color[2] << 16 | color[1] << 8 | color[0]) >>> 0;
  const blend = (a, b, share) => a.map((value, k) => Math.round(value + (b[k] - value) * share));
  // The lowest row stands below.
  const cell = (x, y) => (rows - 1 - y) * columns + x;
  const best = index => map.policy.reduce((best, row, action) => row[index] > map.policy[best][index] ? action : best, 0);
  const format = value => Number(value.toPrecision(3));

  const [policy, value] = ["policy-map", "value-map"].map(id => document.getElementById(id));
  const key = (id, html) => { document.getElementById(id + "-key").innerHTML = html; };
  const swatch = (color, text) => `<span><i style="background:${color}"></i>${text}</span>`;
  nabla.onTheme(() => {
    const heat = nabla.palette(["heat-0", "heat-1", "heat-2", "heat-3"]);
    const signed = nabla.palette(["cold", "neutral", "warm"]);
    nabla.paint(value, columns, rows, (x, y) =>
      heat[Math.round((map.values[cell(x, y)] - least) / ((most - least) || 1) * 255)]);
    if (discrete) {
      const colors = map.actions.map((_, action) => channels(nabla.color(hues[action % hues.length])));
      const ground = channels(nabla.color("surface"));
      const floor = 1 / map.actions.length;
      nabla.paint(policy, columns, rows, (x, y) => {
        const index = cell(x, y), action = best(index);
        const certainty = (map.policy[action][index] - floor) / (1 - floor);
        return pack(blend(ground, colors[action], 0.12 + 0.88 * certainty));
      });
      key("policy-map", map.actions.map((name, action) =>
        swatch(nabla.color(hues[action % hues.length]), name)).join(""));
    } else {
      const [low, high] = map.bounds;
      nabla.paint(policy, columns, rows, (x, y) => {
        const share = (map.policy[0][cell(x, y)] - low) / (high - low);
        return signed[Math.round(Math.min(1, Math.max(0, share)) * 255)];
      });
      key("policy-map", swatch("var(--cold)", `${map.actions[0]} ${format(low)}`)
        + swatch("var(--warm)", `${format(high)}`));
    }
    key("value-map", swatch("var(--heat-0)", format(least)) + swatch("var(--heat-3)", format(most)));
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
  """#
