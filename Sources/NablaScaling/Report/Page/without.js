const { law, without, x, y, runs } = nabla.data("loss-data");
const line = document.getElementById("envelope");
const readout = document.getElementById("without");
const at = (value, [low, high, start, end]) =>
  start + (Math.log(value / low) / Math.log(high / low)) * (end - start);
const number = value => Number(value.toPrecision(4));
const optimum = ([E, A, B, alpha, beta], compute) => {
  const G = Math.pow(alpha * A / (beta * B), 1 / (alpha + beta));
  return G * Math.pow(compute / 6, beta / (alpha + beta));
};
const loss = ([E, A, B, alpha, beta], N, D) => E + A / N ** alpha + B / D ** beta;
const draw = constants => {
  const points = [];
  for (let index = 0; index < 60; index += 1) {
    const compute = x[0] * Math.pow(x[1] / x[0], index / 59);
    const N = optimum(constants, compute);
    const place = [at(compute, x), at(loss(constants, N, compute / 6 / N), y)];
    points.push(place.map(value => value.toFixed(1)).join(","));
  }
  line.setAttribute("points", points.join(" "));
};
const describe = ([E, A, B, alpha, beta]) =>
  `E ${number(E)}, A ${number(A)}, B ${number(B)}, α ${number(alpha)}, β ${number(beta)}; N grows as C^${number(beta / (alpha + beta))}`;
let chosen = null;
for (const dot of document.querySelectorAll("[data-run]")) {
  dot.addEventListener("click", () => {
    const run = Number(dot.dataset.run);
    chosen?.setAttribute("fill-opacity", "1");
    chosen = chosen === dot ? null : dot;
    chosen?.setAttribute("fill-opacity", "0.15");
    const fit = chosen ? without[run] : law;
    if (fit) draw(fit);
    else line.setAttribute("points", "");
    const refit = fit ? describe(fit) : "no optimum";
    readout.textContent = chosen
      ? `Without the run of ${runs[run]}:\n${refit}\nWith all runs:\n${describe(law)}` : "";
  });
}
