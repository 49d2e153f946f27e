const { rows, columns, minimum, maximum, values } = nabla.data("positions-data");
const bytes = nabla.bytes(values);
const canvas = document.querySelector("#positions .plane canvas");
const valueOf = byte => minimum + byte / 255 * (maximum - minimum);
nabla.onTheme(() => {
  // With both signs, zero has the neutral color and equal magnitudes are equally strong.
  const isSigned = minimum < 0 && maximum > 0;
  const colors = nabla.palette(isSigned ? ["cold", "neutral", "warm"] : ["heat-0", "heat-1", "heat-2", "heat-3"]);
  const bound = Math.max(-minimum, maximum);
  const colorOf = byte => colors[isSigned ? Math.round((valueOf(byte) / bound + 1) / 2 * 255) : byte];
  nabla.paint(canvas, columns, rows, (x, y) => colorOf(bytes[y * columns + x]));
  nabla.paint(document.querySelector("#positions .scale canvas"), 256, 1, x => colorOf(x));
});
canvas.addEventListener("pointermove", event => {
  const [x, y] = nabla.cell(canvas, event, columns, rows);
  nabla.showTip(`position ${y}, dimension ${x}: ${nabla.formats.plain(valueOf(bytes[y * columns + x]))}`, event);
});
canvas.addEventListener("pointerleave", nabla.hideTip);
