// Draws the charts of all sections in the colors of the theme.
// Chart.js draws the circle of a legend as large as its line is long.
const smallDot = color => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 9, height: 9 });
  const context = canvas.getContext("2d");
  context.fillStyle = color;
  context.arc(4.5, 4.5, 4, 0, 2 * Math.PI);
  context.fill();
  return canvas;
};
const legendLabels = chart => Chart.defaults.plugins.legend.labels.generateLabels(chart).filter(label => label.text).map(label => {
  const dataset = chart.data.datasets[label.datasetIndex];
  const pointStyle = dataset.showLine ? "line" : dataset.pointStyle === "circle" ? smallDot(dataset.backgroundColor) : dataset.pointStyle;
  return { ...label, pointStyle, lineWidth: 2, strokeStyle: dataset.borderColor };
});
// What JSON cannot hold: functions, and the colors of the theme.
const completed = configuration => {
  const { data: { datasets }, options: { plugins, scales } } = structuredClone(configuration);
  const [muted, line] = [nabla.color("muted"), nabla.color("line")];
  for (const dataset of datasets) {
    const color = nabla.color(dataset.color);
    dataset.borderColor = color + Math.round(dataset.opacity * 255).toString(16).padStart(2, "0");
    dataset.pointBackgroundColor = dataset.pointBorderColor = color;
    dataset.backgroundColor = dataset.fill ? color + "2e" : color;
    dataset.pointBorderWidth = dataset.showLine ? 0 : 2.5;
  }
  for (const axis of Object.values(scales)) {
    axis.ticks.callback = nabla.formats[axis.format];
    axis.ticks.color = axis.title.color = muted;
    if (axis.values) axis.afterBuildTicks = scale => { scale.ticks = axis.values.map(value => ({ value })); };
    axis.grid = { color: line, borderColor: line };
  }
  plugins.legend.labels = { usePointStyle: true, boxWidth: 20, color: muted, generateLabels: legendLabels };
  plugins.tooltip = { filter: item => item.dataset.label, callbacks: {
    title: items => items.length ? scales.x.title.text + " " + nabla.formats.plain(items[0].parsed.x) : "",
    label: item => item.raw.note
      ? item.raw.note.match(/.{1,60}(\s|$)|.{1,60}/g)
      : item.dataset.label + "  " + nabla.formats[scales.y.format](item.parsed.y),
  } };
  return { ...configuration, data: { datasets }, options: { ...configuration.options, plugins, scales } };
};

for (const { id, configuration } of [...document.querySelectorAll(".chart-data")].flatMap(island => nabla.data(island.id))) {
  let chart;
  const draw = () => {
    chart?.destroy();
    chart = new Chart(document.getElementById(id), completed(configuration));
  };
  nabla.onTheme(draw);
  const toggle = document.querySelector(`[data-logarithmic="${id}"]`);
  toggle?.addEventListener("change", () => {
    configuration.options.scales.y.type = toggle.checked ? "logarithmic" : "linear";
    draw();
  });
}
