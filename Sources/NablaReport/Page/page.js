// What the scripts of the sections share.
document.documentElement.classList.add("with-script");
const nabla = (() => {
  const tip = document.getElementById("tip");
  const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
  const withSuffix = (value, suffixes) => {
    let index = 0;
    while (Math.abs(value) >= 999.5 && index < suffixes.length - 1) { value /= 1000; index += 1; }
    return Number(value.toPrecision(3)) + suffixes[index];
  };
  const channels = hex => [1, 3, 5].map(start => parseInt(hex.slice(start, start + 2), 16));
  const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  return {
    // The value of a JSON island.
    data: id => JSON.parse(document.getElementById(id).textContent),
    bytes: base64 => Uint8Array.from(atob(base64), character => character.charCodeAt(0)),
    // A color of the theme as #rrggbb.
    color,
    // Runs now and whenever the reader's theme changes.
    onTheme: action => {
      action();
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", action);
    },
    formats: {
      plain: value => plain.format(value + 0),  // charts mark the zero of a negative axis as -0
      scaled: value => withSuffix(value, ["", " k", " M", " G", " T"]),
      bytes: value => withSuffix(value, [" B", " kB", " MB", " GB", " TB"]),
      exponential: value => value === 0 ? "0" : value.toExponential(1),
    },
    // 256 colors that run evenly through the named ones, as the bytes red, green, blue, alpha in memory.
    palette: names => {
      const stops = names.map(name => channels(color(name)));
      const bytes = new Uint8ClampedArray(4 * 256).fill(255);
      for (let index = 0; index < 256; index += 1) {
        const place = index / 255 * (stops.length - 1);
        const left = Math.min(Math.floor(place), stops.length - 2);
        stops[left].forEach((value, channel) => {
          bytes[4 * index + channel] = value + (stops[left + 1][channel] - value) * (place - left);
        });
      }
      return new Uint32Array(bytes.buffer);
    },
    // Gives each pixel a color of a palette; 0 leaves it transparent.
    paint: (canvas, width, height, colorOf) => {
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      const image = context.createImageData(width, height);
      const pixels = new Uint32Array(image.data.buffer);
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) pixels[y * width + x] = colorOf(x, y);
      }
      context.putImageData(image, 0, 0);
    },
    // The column and row under the pointer.
    cell: (canvas, event, columns, rows) => {
      const box = canvas.getBoundingClientRect();
      const at = (offset, size, count) => Math.max(0, Math.min(count - 1, Math.floor(offset / size * count)));
      return [at(event.clientX - box.left, box.width, columns), at(event.clientY - box.top, box.height, rows)];
    },
    showTip: (text, event) => {
      tip.textContent = text;
      tip.hidden = false;
      const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      const below = event.clientY + 18;
      const top = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
      tip.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
    },
    hideTip: () => { tip.hidden = true; },
  };
})();
