/// Draws the charts of ``curvesSection(_:)`` in the colours of the theme.
let curvesScript = #"""
  for (const { id, configuration } of nabla.data("curves-data")) {
    const formatOf = axis => nabla.formats[configuration.options.scales[axis].format];
    for (const [name, axis] of Object.entries(configuration.options.scales)) {
      axis.ticks.callback = value => formatOf(name)(value);
    }
    const plugins = configuration.options.plugins;
    plugins.legend.labels = { usePointStyle: true, pointStyle: "line", boxWidth: 20 };
    plugins.tooltip = { callbacks: {
      title: items => items.length ? "step " + nabla.formats.plain(items[0].parsed.x) : "",
      label: item => item.raw.note
        ? item.raw.note.match(/.{1,60}(\s|$)|.{1,60}/g)
        : item.dataset.label + "  " + formatOf(item.dataset.yAxisID)(item.parsed.y)
    } };

    const canvas = document.getElementById(id);
    const chart = new Chart(canvas, configuration);
    nabla.onTheme(() => {
      for (const dataset of configuration.data.datasets) {
        const opacity = Math.round(dataset.opacity * 255).toString(16).padStart(2, "0");
        dataset.borderColor = nabla.color(dataset.color) + opacity;
        dataset.backgroundColor = nabla.color(dataset.color) + opacity;
      }
      plugins.legend.labels.color = nabla.color("muted");
      for (const axis of Object.values(configuration.options.scales)) {
        axis.ticks.color = nabla.color("muted");
        axis.title.color = nabla.color("muted");
        axis.grid.color = nabla.color("line");
        axis.grid.borderColor = nabla.color("line");
      }
      chart.update("none");
    });

    const toggle = document.querySelector(`[data-logarithmic="${id}"]`);
    toggle?.addEventListener("change", () => {
      configuration.options.scales.y.type = toggle.checked ? "logarithmic" : "linear";
      chart.update("none");
    });
  }
  """#
