// Why scores are divided by √d.
import { chart } from "../../common/chart.js";

const chosen = s => ({ text: s.get("text"), layer: s.get("layer"), head: s.get("head") });

export function saturation(lab) {
  lab.slider("seed", { label: "Seed of the random vectors", min: 0, max: 999, value: 1 });
  const spread = chart({ label: "Spread of dot products of random vectors",
    x: { name: "size d", log: true, range: [0.8, 1300] }, y: { name: "standard deviation", log: true, range: [0.8, 40] } });
  const curves = chart({ label: "The head above at other temperatures (1 is √d)",
    x: { name: "temperature", log: true, format: v => String(v) }, y: { name: "nats, or share passed back" } });
  lab.add(spread, curves);
  lab.live("saturation", s => ({ ...chosen(s), seed: s.get("seed") }), value => {
    spread.show({
      lines: [{ name: "√d", concept: "muted", dashed: true, points: value.sizes.map(d => [d, Math.sqrt(d)]) }],
      dots: [{ name: "measured on 2,000 pairs", concept: "query", points: value.sizes.map((d, i) => [d, value.deviations[i]]) }],
    });
    curves.show({
      lines: [
        { name: "entropy (nats)", concept: "weights", points: value.points.map(p => [p.temperature, p.entropy]) },
        { name: "Σ w(1 − w): gradient passed back", concept: "gradient", points: value.points.map(p => [p.temperature, p.passed]) },
      ],
      rules: [{ x: value.unscaled, name: "no √d" }, { x: 1, name: "√d" }, { y: value.largestEntropy, name: "all equal" }],
    });
  }, { seed: s => s.get("seed") });
}
