const { tokens, causal, layers } = nabla.data("attention-data");
const count = tokens.length;
const weights = layers.map(heads => heads.map(nabla.bytes));
const strip = document.querySelector("#attention > .strip");
const dialog = document.getElementById("attention-dialog");
const enlarged = dialog.querySelector("canvas");
const dialogStrip = dialog.querySelector(".strip");
const readout = dialog.querySelector(".readout");
let chosen = null;

// The square root makes small weights visible.
const paint = (canvas, map) => {
  const colors = nabla.palette(["heat-0", "heat-1", "heat-2", "heat-3"]);
  nabla.paint(canvas, count, count, (x, y) =>
    causal && x > y ? 0 : colors[Math.round(Math.sqrt(map[y * count + x] / 255) * 255)]);
};
const shade = (strip, map, query) => {
  [...strip.querySelectorAll("span")].forEach((span, key) => {
    const weight = map ? map[query * count + key] / 255 : 0;
    span.style.setProperty("--weight", Math.round(Math.sqrt(weight) * 100) + "%");
    span.classList.toggle("query", map !== null && key === query);
  });
};
const describe = (map, query, key) =>
  `${query} “${tokens[query]}” → ${key} “${tokens[key]}”  ` +
  (causal && key > query ? "masked" : "weight " + (map[query * count + key] / 255).toFixed(3));
const follow = (canvas, mapOf, strip, tell) => {
  canvas.addEventListener("pointermove", event => {
    const [key, query] = nabla.cell(canvas, event, count, count);
    shade(strip, mapOf(), query);
    tell(describe(mapOf(), query, key), event);
  });
  canvas.addEventListener("pointerleave", () => { shade(strip, null, 0); nabla.hideTip(); });
};

const buttons = [...document.querySelectorAll("#attention .map")];
for (const button of buttons) {
  const { layer, head } = button.dataset;
  follow(button.querySelector("canvas"), () => weights[layer][head], strip, nabla.showTip);
  button.addEventListener("click", () => {
    chosen = { layer, head };
    nabla.hideTip();
    document.getElementById("attention-title").textContent =
      `Layer ${layer}, head ${head}: ` + button.querySelector("i").textContent;
    paint(enlarged, weights[layer][head]);
    dialog.showModal();
  });
}
const chosenMap = () => weights[chosen.layer][chosen.head];
follow(enlarged, chosenMap, dialogStrip, text => { readout.textContent = text; });
dialogStrip.addEventListener("pointerover", event => {
  const query = event.target.dataset.token;
  if (query === undefined) return;
  shade(dialogStrip, chosenMap(), Number(query));
  const row = chosenMap().subarray(query * count, (Number(query) + 1) * count);
  readout.textContent = "strongest: " + describe(chosenMap(), Number(query), row.indexOf(Math.max(...row)));
});
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });

nabla.onTheme(() => {
  for (const button of buttons) {
    paint(button.querySelector("canvas"), weights[button.dataset.layer][button.dataset.head]);
  }
  if (chosen) paint(enlarged, chosenMap());
});
