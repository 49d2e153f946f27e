import NablaNN

/// The factors that Llama 3's scaling divides each frequency by, which GGUF files store as `rope_freqs.weight`.
package func llama3Factors(_ scaling: RotaryScaling, size: Int, base: Double) -> [Double] {
  let plain = rotaryFrequencies(size: size, base: base).frequencies
  let scaled = rotaryFrequencies(size: size, base: base, scaling: scaling).frequencies
  return zip(plain, scaled).map { $0 / $1 }
}

/// A Llama 3 scaling that divides frequencies by these factors; nil if no settings do.
///
/// Between the factors 1 and F there is a ramp: with s = (1/f - 1/F) / (1 - 1/F), s = (context / λ - low) / (high -
/// low) for the wavelength λ. Multiplying context, low and high by one number changes nothing, and if the ramp has
/// fewer than two points many settings are equivalent: the usual ones are tried first.
package func llama3Scaling(dividing factors: [Double], size: Int, base: Double) -> RotaryScaling? {
  guard factors.count == size / 2, let factor = factors.max(), factor >= 1, factor.isFinite else { return nil }
  if factor == 1 { return factors.allSatisfy { $0 == 1 } ? RotaryScaling.none : nil }
  let wavelengths = rotaryFrequencies(size: size, base: base).frequencies.map { 2 * Double.pi / $0 }
  let full = 1 - 1 / factor
  // The factors may have been rounded to float32.
  var ramp: [(turns: Double, s: Double)] = []
  for (f, wavelength) in zip(factors, wavelengths) where f > 1 + 1e-6 && f < factor * (1 - 1e-6) {
    ramp.append((1 / wavelength, (1 / f - 1 / factor) / full))
  }
  /// Settings to try, with a low of 1.
  var candidates: [(high: Double, context: Double)] = []
  if let first = ramp.first, let last = ramp.last, ramp.count > 1 {
    let slope = (first.s - last.s) / (first.turns - last.turns)
    let high = 1 + 1 / (slope * first.turns - first.s)
    candidates = [((high * 1000).rounded() / 1000, slope * (high - 1)), (high, slope * (high - 1))]
  } else if let only = ramp.first {
    candidates = [4, 1.05].map { ($0, (only.s * ($0 - 1) + 1) / only.turns) }
  } else {
    // The ramp lies between two wavelengths.
    let step = factors.firstIndex { $0 >= factor * (1 - 1e-6) }!
    let place = step == 0 ? wavelengths[0] / 2 : (wavelengths[step - 1] * wavelengths[step]).squareRoot()
    candidates = (5...20).map { (4, Double(1 << $0)) } + [(1.01, place)]
  }
  // The context is an integer: rounding it must not change the factors.
  for low in [1, 2, 4, 1.5, 3, 1e4] {
    for (high, context) in candidates where high > 1 && context >= 1 && context < 1e9 {
      let scaling = RotaryScaling.llama3(
        factor: factor, lowFrequencyFactor: low, highFrequencyFactor: low * high,
        originalContext: Int((low * context).rounded()))
      let expected = llama3Factors(scaling, size: size, base: base)
      let same = zip(expected, factors).allSatisfy { (a: Double, b: Double) in abs(a - b) <= 1e-5 * b }
      if same { return scaling }
    }
  }
  return nil
}
