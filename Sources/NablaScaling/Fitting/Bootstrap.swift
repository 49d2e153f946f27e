import Glibc
import NablaTensor

/// Laws fitted to bootstrap samples of the points (Efron 1979): their spread is the uncertainty of
/// the fit.
public struct ChinchillaBootstrap: Sendable {
  /// The laws, one per sample.
  public let laws: [Chinchilla]
  let residuals: [Double]

  /// The range of a quantity in the middle `level` of the samples.
  public func interval(level: Double = 0.95, _ quantity: (Chinchilla) -> Double) -> ClosedRange<Double> {
    percentileInterval(laws.map(quantity), level: level)
  }

  /// The prediction interval of a new run's loss: the spread of the laws, plus for each of them the residual of one of
  /// the points.
  public func predictionInterval(level: Double = 0.95, parameters: Double, tokens: Double) -> ClosedRange<Double> {
    var random = RandomSource(seed: 2)
    return percentileInterval(
      laws.map { law in
        law.loss(parameters: parameters, tokens: tokens)
          * exp(residuals[Int.random(in: 0..<residuals.count, using: &random)])
      }, level: level)
  }
}

extension ChinchillaFit {
  /// Refits samples of the points. Each refit starts from this fit's law, in whitened coordinates, in which the
  /// curvature there is the same in all directions: L-BFGS then has none to learn.
  ///
  /// The same seed gives the same laws, whatever the number of threads.
  public func bootstrap(samples: Int = 4_000, seed: UInt64 = 1) -> ChinchillaBootstrap {
    var random = RandomSource(seed: seed)
    let draws = (0..<samples).map { _ in
      var counts = [Double](repeating: 0, count: points.count)
      for _ in points.indices { counts[Int.random(in: 0..<points.count, using: &random)] += 1 }
      return counts
    }
    let start = function.coordinates(law)
    let whitening = Whitening(function.normalMatrix(at: start))
    let whiteStart = whitening.apply(start)
    var search = LBFGS()
    search.gradientTolerance = 1e-9
    search.relativeTolerance = 1e-9
    let laws = parallelMap(draws) { counts in
      let function = whitening.function(function.weighted(counts))
      // A second search from the end of the first: a non-smooth point can stop one early.
      let first = search.minimize(from: whiteStart, function)
      return self.function.law(whitening.undo(search.minimize(from: first.point, function).point))
    }
    return ChinchillaBootstrap(laws: laws, residuals: residuals)
  }
}

extension ChinchillaFit {
  /// The fit without each of the points in turn: the influence of each.
  public func leavingOneOut() -> [Chinchilla] {
    let start = function.coordinates(law)
    return parallelMap(Array(points.indices)) { left in
      var counts = [Double](repeating: 1, count: points.count)
      counts[left] = 0
      let function = function.weighted(counts)
      return function.law(refine(start, function, rounds: 3).point)
    }
  }
}
