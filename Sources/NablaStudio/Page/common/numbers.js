// Numbers for people.

const units = [[1e18, "·10¹⁸"], [1e15, "·10¹⁵"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

/// So many significant digits, with a true minus: 0.0123, −1.50, 2.4·10⁻⁶.
export function significant(x, digits = 3) {
  if (typeof x === "string") return { Infinity: "∞", "-Infinity": "−∞" }[x] ?? x;
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e-3 && size < 1e6) return signed(x.toPrecision(digits).includes("e")
    ? String(Math.round(x)) : x.toPrecision(digits));
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  return `${signed(mantissa)}·10${superscript(Number(exponent))}`;
}

/// So many digits after the point.
export const fixed = (x, digits = 2) => typeof x === "string" ? significant(x) : signed(x.toFixed(digits));

/// 1.5B, 300M, 42.
export function scaled(x, digits = 3) {
  const unit = units.find(([size]) => Math.abs(x) >= size * 0.9995);
  if (Math.abs(x) >= 1e21) return significant(x, digits);
  return unit ? signed(String(Number((x / unit[0]).toPrecision(digits)))) + unit[1] : significant(x, digits);
}

/// 10¹⁸, 3·10²¹: for axes that span many powers of ten.
export function powerOfTen(x) {
  const exponent = Math.floor(Math.log10(x) + 1e-9), mantissa = Number((x / 10 ** exponent).toPrecision(3));
  return `${mantissa === 1 ? "" : `${mantissa}·`}10${superscript(exponent)}`;
}

/// 12.3 MiB, with powers of 1024.
export function bytes(x) {
  const names = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let power = 0;
  while (x >= 1024 && power < names.length - 1) { x /= 1024; power++; }
  return `${power === 0 ? x : Number(x.toPrecision(3))} ${names[power]}`;
}

export const percent = (x, digits = 0) => `${signed((100 * x).toFixed(digits))} %`;
export const grouped = x => Math.round(x).toLocaleString("en-US");

/// A span of time in the unit that suits it: 12 seconds, 3.4 days, 56,000 years.
export function time(seconds) {
  const spans = [[365.25 * 86400, "year"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const [size, name] = spans.find(([size]) => seconds >= size) ?? [1, "second"];
  const count = seconds / size;
  const text = count >= 1e6 ? `${scaled(count, 2)}` : count >= 1000 ? grouped(Number(count.toPrecision(2))) : significant(count, 2);
  return `${text} ${name}${text === "1.0" ? "" : "s"}`;
}

/// What a reader types for a number: 70B, 1.4T, 3e9, 2,000,000; NaN for what is none.
export function typed(text) {
  const parts = text.trim().replace(/,(?=\d{3})/g, "").match(/^(\d+\.?\d*(?:e[+-]?\d{1,3})?)\s*(k|m|b|bn|t)?$/i);
  if (!parts) return NaN;
  const factor = { k: 1e3, m: 1e6, b: 1e9, bn: 1e9, t: 1e12 }[parts[2]?.toLowerCase()] ?? 1;
  // 1.4 · 10¹² would be 1399999999999.9998.
  return Number((Number(parts[1]) * factor).toPrecision(12));
}

const superscripts = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
export const superscript = n => [...String(n)].map(c => superscripts[c] ?? c).join("");
const signed = text => text.replace(/^-/, "−");
