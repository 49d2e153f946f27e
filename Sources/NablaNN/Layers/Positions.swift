import Glibc
import NablaTensor

/// How a model encodes the positions of its tokens.
public enum PositionKind: String, Sendable, Codable, CaseIterable {
  /// Rotation of queries and keys (Su et al. 2021).
  case rotary
  /// A learned vector for each position, added to the embedding.
  case learned
  /// Fixed sines and cosines, added to the embedding (Vaswani et al. 2017).
  case sinusoidal
}

/// The fixed encoding of "Attention is all you need": dimension 2i of position p is sin(p / 10000^(2i/width)),
/// dimension 2i + 1 the cosine. [positions, width].
public func sinusoidalPositions(_ positions: Int, width: Int) -> Tensor {
  Tensor(
    (0..<positions).flatMap { p in
      (0..<width).map { d in
        let angle = Double(p) / pow(10000, Double(d / 2 * 2) / Double(width))
        return Float(d % 2 == 0 ? sin(angle) : cos(angle))
      }
    }, [positions, width])
}

/// How rotary frequencies are scaled for contexts longer than a model was trained on. Cases and fields are those
/// of Hugging Face's `rope_scaling`.
public enum RotaryScaling: Sendable, Hashable, Codable {
  case none
  /// Positions divided by the factor (Chen et al. 2023).
  case linear(factor: Double)
  /// Llama 3.1: long wavelengths divided by the factor, short ones kept, a ramp in between.
  case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContext: Int)
  /// YaRN (Peng et al. 2023): a ramp over dimensions, and attention sharpened by a factor on cosines and sines. The ends
  /// of the ramp are whole dimensions unless `truncates` is false.
  case yarn(
    factor: Double, betaFast: Double, betaSlow: Double, originalContext: Int, attentionFactor: Double?,
    truncates: Bool? = nil)
  /// NTK-aware scaling that begins beyond the model's context (bloc97 and emozilla 2023), and so changes nothing within.
  case dynamic(factor: Double)
  /// LongRoPE (Ding et al. 2024): each frequency divided by a factor of its own. A model for contexts up to the original
  /// one has the short factors, a model for longer ones, up to `extendedContext`, the long factors.
  case longrope(
    shortFactors: [Double], longFactors: [Double], originalContext: Int, extendedContext: Int, attentionFactor: Double)
}

/// Rotary frequencies in radians per position: θᵢ = base^(-2i/size), i in 0..<size/2, then scaled.
///
/// - Parameters:
///   - size: of a head, or of the part of it that is rotated: an even number.
///   - base: θ: 10,000 in most models.
///   - scaling: how frequencies are changed for longer contexts.
///   - context: positions that a model is made for, which decides between LongRoPE's factors.
/// - Returns: the frequencies, and the factor on cosines and sines (1 except for YaRN and LongRoPE).
public func rotaryFrequencies(
  size: Int, base: Double, scaling: RotaryScaling = .none, context: Int = 0
) -> (frequencies: [Double], scale: Double) {
  let plain = (0..<size / 2).map { pow(base, -2 * Double($0) / Double(size)) }
  switch scaling {
  case .none, .dynamic:
    return (plain, 1)
  case .longrope(let short, let long, let original, _, let attentionFactor):
    return (zip(plain, context > original ? long : short).map { $0 / $1 }, attentionFactor)
  case .linear(let factor):
    return (plain.map { $0 / factor }, 1)
  case .llama3(let factor, let low, let high, let context):
    let scaled = plain.map { frequency in
      let wavelength = 2 * Double.pi / frequency
      if wavelength > Double(context) / low { return frequency / factor }
      if wavelength < Double(context) / high { return frequency }
      let smooth = (Double(context) / wavelength - low) / (high - low)
      return (1 - smooth) * frequency / factor + smooth * frequency
    }
    return (scaled, 1)
  case .yarn(let factor, let fast, let slow, let context, let attentionFactor, let truncates):
    /// The dimension that makes `rotations` full rotations within the original context.
    func dimension(_ rotations: Double) -> Double {
      Double(size) * log(Double(context) / (rotations * 2 * Double.pi)) / (2 * log(base))
    }
    let isWhole = truncates ?? true
    let low = max(isWhole ? dimension(fast).rounded(.down) : dimension(fast), 0)
    var high = min(isWhole ? dimension(slow).rounded(.up) : dimension(slow), Double(size - 1))
    if low == high { high += 0.001 }
    let scaled = plain.enumerated().map { i, frequency in
      let ramp = min(max((Double(i) - low) / (high - low), 0), 1)
      return frequency / factor * ramp + frequency * (1 - ramp)
    }
    return (scaled, attentionFactor ?? yarnAttentionFactor(factor))
  }
}

/// What YaRN multiplies cosines and sines by: 0.1 · weight · ln(factor) + 1.
///
/// - Parameters:
///   - factor: by which the context is extended; 1 or less gives 1.
///   - weight: DeepSeek's `mscale`.
public func yarnAttentionFactor(_ factor: Double, weight: Double = 1) -> Double {
  factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
}
