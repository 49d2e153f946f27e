import Glibc
import NablaNN
import NablaTensor

/// Time embedding: sin and cos of 2π·f·t at random frequencies f ~ N(0, scale²), chosen once (Tancik et al. 2020,
/// "Fourier features"). [B] → [B, 2·count].
public final class FourierTimeFeatures: Module {
  /// [count]; not trained.
  @Parameter public var frequencies: Tensor

  public init(_ count: Int, scale: Float = 1, random: inout RandomSource) {
    frequencies = random.normal([count], standardDeviation: scale)
    super.init()
    freeze()
  }

  public func callAsFunction(_ times: Tensor) -> Tensor {
    let angles = (2 * Double.pi) * (times.reshaped([-1, 1]) * frequencies.reshaped([1, -1]))
    return Tensor.concatenate([angles.sin(), angles.cos()], axis: 1)
  }
}

/// Sinusoidal time embedding, like positions in a transformer (Vaswani et al. 2017; Ho et al. 2020):
/// f_i = 10000^(-i/(half - shift)), i < half = width/2. times: [B] → [B, width].
///
/// - Parameters:
///   - times: [B].
///   - width: an even number: half cosines, half sines.
///   - cosineFirst: cos before sin (diffusers' `flip_sin_to_cos`).
///   - frequencyShift: diffusers' `freq_shift`: 0 or 1.
public func sinusoidalTimeEmbedding(
  _ times: Tensor, width: Int, cosineFirst: Bool = true, frequencyShift: Double = 0
) -> Tensor {
  precondition(width % 2 == 0, "sinusoidalTimeEmbedding: a width of \(width) is odd")
  let half = width / 2
  let frequencies = (0..<half).map { Float(exp(-log(10000) * Double($0) / (Double(half) - frequencyShift))) }
  let angles = times.reshaped([-1, 1]) * Tensor(frequencies, [1, half])
  return Tensor.concatenate(cosineFirst ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()], axis: 1)
}
