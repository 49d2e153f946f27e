import NablaTensor

/// The rules of N environments in structure-of-arrays form: the form of the built-in ones, for speed. What they
/// share (seeds, returns, time limits, resets) is in ``VectorEnvironment``.
///
/// A value without state: the state is in the batch, S numbers per environment, so that it can be saved.
package protocol Dynamics: Sendable {
  var name: String { get }
  var observationSpace: ObservationSpace { get }
  var actionSpace: ActionSpace { get }
  /// Steps after which an episode is cut off.
  var timeLimit: Int? { get }
  /// The names of the S numbers of the state.
  var stateNames: [String] { get }

  /// Starts an episode: writes state and observation of one environment.
  func reset(_ index: Int, random: inout RandomSource, _ batch: EnvironmentBatch)
  /// Acts once: writes state, observations, rewards and `terminated` of these environments. May run on any thread.
  func step(_ range: Range<Int>, _ batch: EnvironmentBatch)
}

/// The memory of N environments: their states, actions and results.
package struct EnvironmentBatch: @unchecked Sendable {
  /// N.
  package let count: Int
  /// O.
  package let observationCount: Int
  /// [S, N]: number s of environment i is `state[s * count + i]`.
  package let state: UnsafeMutablePointer<Double>
  package let actions: ActionBatch
  /// [N, O].
  package let observations: UnsafeMutablePointer<Float>
  /// [N].
  package let rewards: UnsafeMutablePointer<Float>
  /// [N].
  package let terminated: UnsafeMutablePointer<Bool>
  /// [N]. Cleared before each step; for environments that truncate episodes themselves.
  package let truncated: UnsafeMutablePointer<Bool>
  /// [N]: the seeds of the episodes.
  package let seeds: UnsafeMutablePointer<UInt64>
  /// [N]: steps done in the episodes, not counting the one being taken.
  package let lengths: UnsafeMutablePointer<Int32>

  /// Number s of the state of environment i.
  @inline(__always)
  package subscript(_ s: Int, _ i: Int) -> Double {
    get { state[s * count + i] }
    nonmutating set { state[s * count + i] = newValue }
  }

  /// Writes the state of environment i, whose numbers are those of the vector.
  @inline(__always)
  func set<Numbers: SIMD>(_ i: Int, _ numbers: Numbers) where Numbers.Scalar == Double {
    for s in 0..<numbers.scalarCount { self[s, i] = numbers[s] }
  }

  /// Writes the observation of environment i: the first O numbers of the vector.
  @inline(__always)
  func observe<Numbers: SIMD>(_ i: Int, _ numbers: Numbers) where Numbers.Scalar == Double {
    for k in 0..<observationCount { observations[i * observationCount + k] = Float(numbers[k]) }
  }

  /// Random numbers within an episode: a pure function of its seed and step.
  func random(_ i: Int) -> RandomSource {
    RandomSource(seed: philox(key: seeds[i], counter: UInt64(lengths[i]), stream: 1))
  }
}

extension RandomSource {
  /// A number in [low, high).
  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

  /// Four numbers in [-bound, bound).
  mutating func uniform4(within bound: Double) -> SIMD4<Double> {
    SIMD4(uniform(-bound, bound), uniform(-bound, bound), uniform(-bound, bound), uniform(-bound, bound))
  }
}
