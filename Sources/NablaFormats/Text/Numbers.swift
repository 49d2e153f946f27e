/// A number with the given significant digits, never in exponent notation within the usual range: 0.1234, 12.34, 1234.
package func significant(_ value: Double, digits: Int) -> String { significant(value, digits: digits, places: .max) }

/// The same with at most so many decimals: a small number shows fewer digits, with four decimals 0.0004.
package func significant(_ value: Double, digits: Int, places: Int) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  var magnitude = 0  // the position of the leading digit, counted from the units
  var rest = value.magnitude
  while rest >= 10, magnitude < 15 {
    rest /= 10
    magnitude += 1
  }
  while rest < 1, magnitude > -15 {
    rest *= 10
    magnitude -= 1
  }
  // Rounding can carry into a new leading digit: 9.9999 is 10.00.
  if rest >= 10 - 0.5 / power(digits - 1) { magnitude += 1 }
  if magnitude >= 15 || magnitude < -4 { return "\(value)" }
  return decimal(value, places: min(places, max(0, digits - 1 - magnitude)))
}

/// 10 to a small power.
private func power(_ exponent: Int) -> Double { (0..<max(0, exponent)).reduce(1) { product, _ in product * 10 } }

/// A number rounded to the given number of decimals.
private func decimal(_ value: Double, places: Int) -> String {
  let units = Int((value.magnitude * power(places)).rounded())
  let digits = String(units)
  let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
  let sign = value < 0 ? "-" : ""
  return places == 0 ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
}

/// A number with three digits and an SI-like suffix, in steps of a thousand.
package func scaled(_ value: Double, _ suffixes: [String]) -> String {
  var rest = value
  var index = 0
  // 999.5 would show as 1000.
  while rest >= 999.5, index < suffixes.count - 1 {
    rest /= 1000
    index += 1
  }
  let isWhole = index == 0 && rest == rest.rounded() && rest.magnitude < 1000
  return (isWhole ? decimal(rest, places: 0) : significant(rest, digits: 3)) + suffixes[index]
}

/// A count with its noun: "1 tensor", "2 tensors".
package func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Seconds as 0:07, 12:34, 3:02:01 or 2d 03:02.
package func duration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds < 1e9 else { return "?" }
  let total = max(0, Int(seconds.rounded()))
  let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
  let (days, hours, minutes) = (total / 86400, total / 3600 % 24, total / 60 % 60)
  if days > 0 { return "\(days)d \(two(hours)):\(two(minutes))" }
  if hours > 0 { return "\(hours):\(two(minutes)):\(two(total % 60))" }
  return "\(minutes):\(two(total % 60))"
}

/// The product of two sizes that come from a file; `Int.max` where it overflows. Neither is negative.
package func saturatingProduct(_ a: Int, _ b: Int) -> Int {
  let (product, overflows) = a.multipliedReportingOverflow(by: b)
  return overflows ? .max : product
}
