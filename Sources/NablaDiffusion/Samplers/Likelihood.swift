import Glibc
import NablaTensor

/// How the divergence of the flow's velocity, Σ ∂uᵢ/∂xᵢ, is computed.
public enum Divergence: Sendable, Hashable {
  /// Every term by its own backward pass: exact, d of them.
  case exact
  /// eᵀ(∂u/∂x)e for one e of random signs, the same along the whole path (Hutchinson 1990; Grathwohl et al. 2019,
  /// "FFJORD"): unbiased, one backward pass.
  case hutchinson
}

extension ProbabilityFlow {
  /// ln p(x) of each row, in nats: the flow maps x to noise, whose density is known, and the density changes by the
  /// divergence along the way (Chen et al. 2018, "Neural ODEs"; Song et al. 2021, appendix D.2):
  ///
  ///     ln p(x) = ln N(x_T; 0, σ_T²) + ∫ ∇·u dt        from the clean time to the noisy one
  ///
  /// - Parameters:
  ///   - data: [B, ...].
  ///   - denoiser: the model, as samplers use it.
  ///   - steps: the number of steps, or of the points at which an adaptive solver must stop.
  ///   - spacing: their distribution. Where time is the noise's standard deviation, as in EDM, even steps would pass
  ///     over all structure of the data in the first: ``TimeSpacing/karras(rho:)`` suits it.
  ///   - divergence: exact, one gradient for each dimension; or estimated from random probes (Hutchinson).
  ///   - random: draws the probes.
  /// - Returns: ln p in nats, and the noise that the data come from.
  public func logLikelihood(
    _ data: Tensor, _ denoiser: Denoiser, steps: Int = 1, spacing: TimeSpacing = .uniform,
    divergence: Divergence = .exact, random: inout RandomSource
  ) -> (logLikelihood: [Double], noise: Tensor) {
    let (rows, times) = (data.shape[0], process.steps(steps, spacing: spacing).reversed().map(\.time))
    let signs = divergence == .exact ? nil : Tensor.select(Tensor.less(random.uniform(data.shape), 0.5), -1, 1)
    let y = solver.solve([data, .zeros([rows])], through: Array(times)) { time, y in
      let (u, change) = velocityAndDivergence(y[0], denoiser, at: time, signs: signs)
      return [u, change]
    }
    let noise = y[0]
    let deviation = process.level(at: process.noisyTime).sigma
    let dimensions = Double(noise.count / max(rows, 1))
    let squares = noise.square().reshaped([rows, -1]).sum(axis: 1).array(of: Double.self)
    let prior = squares.map {
      -$0 / (2 * deviation * deviation) - dimensions * log(deviation * (2 * Double.pi).squareRoot())
    }
    return (zip(prior, y[1].array(of: Double.self)).map { $0 + $1 }, noise)
  }

  /// u(x) and its divergence, [B]. signs: Hutchinson's e, or nil for the exact sum.
  private func velocityAndDivergence(
    _ x: Tensor, _ denoiser: Denoiser, at time: Double, signs: Tensor?
  ) -> (Tensor, Tensor) {
    /// For each row Σ eᵢ ∂(Σ eⱼuⱼ)/∂xᵢ; rows do not touch each other, so one sum serves them all.
    func projected(_ e: Tensor) -> (u: Tensor, change: Tensor) {
      var u = x
      let (_, gradients) = valueAndGradient(at: [x]) { inputs in
        let velocity = velocity(inputs[0], denoiser, at: time)
        u = velocity.stopGradient()
        return (velocity * e).sum()
      }
      return (u, (gradients[0] * e).reshaped([x.shape[0], -1]).sum(axis: 1))
    }
    if let signs { return projected(signs) }
    let dimensions = x.count / max(x.shape[0], 1)
    var (u, total) = (x, Tensor.zeros([x.shape[0]]))
    for i in 0..<dimensions {
      let unit = Tensor((0..<dimensions).map { $0 == i ? Float(1) : 0 }, Shape([1] + Array(x.shape.dropFirst())))
      let part = projected(unit)
      (u, total) = (part.u, total + part.change)
    }
    return (u, total)
  }
}

/// Bits per dimension of images whose integers 0 … 255 were scaled to -1 … 1: the usual unit of image likelihoods. d
/// numbers per image; the images should be dequantized with uniform noise of one level, so that a density exists.
public func bitsPerDimension(logLikelihood: Double, dimensions: Int) -> Double {
  -logLikelihood / (Double(dimensions) * log(2)) + log2(127.5)
}
