import NablaTensor
import Testing

/// How near a result must come to its float64 reference: |difference| ≤ tolerance · (1 + largest reference).
enum Tolerance {
  static let float32 = 1e-5
  /// Gradients go through more roundings.
  static let gradient = 4e-5
  /// bfloat16 keeps 8 bits: half a unit in the last place is 2⁻⁹ relative; a few roundings in a row add up.
  static let bfloat16 = 0.02
}

/// Expects `actual` to have the reference's shape and, within the tolerance, its numbers.
func expectClose(
  _ actual: Tensor, _ reference: Reference, tolerance: Double = Tolerance.float32, _ what: String = "result",
  at location: SourceLocation = #_sourceLocation
) {
  guard Array(actual.shape) == reference.shape else {
    Issue.record("\(what): shape \(actual.shape), reference \(reference.shape)", sourceLocation: location)
    return
  }
  let largest = reference.values.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
  for (i, (x, y)) in zip(actual.array(of: Double.self), reference.values).enumerated() {
    if x == y || (x.isNaN && y.isNaN) { continue }
    if !(abs(x - y) <= tolerance * (1 + largest)) {
      Issue.record(
        "\(what): element \(i) of \(reference.count) (shape \(reference.shape)) is \(x), reference \(y)",
        sourceLocation: location)
      return
    }
  }
}

/// Compares an operation with a naive float64 reference, and its gradients with central differences of that reference.
///
/// The gradients are those of Σ w·y for fixed numbers w, so that a gradient put in the wrong place shows.
/// Of large inputs 48 elements are checked.
func checkGradient(
  of operation: ([Tensor]) -> Tensor, inputs: [Tensor], reference: ([Reference]) -> Reference,
  tolerance: Double = Tolerance.float32, gradientTolerance: Double? = nil, step: Double = 1e-4,
  at location: SourceLocation = #_sourceLocation
) {
  let references = inputs.map(Reference.init)
  let expected = reference(references)
  let result = withoutGradient { operation(inputs) }
  expectClose(result, expected, tolerance: tolerance, "forward", at: location)
  guard Array(result.shape) == expected.shape else { return }

  let weights = Tensor.numbers(result.shape, seed: 99)
  let weightValues = weights.array(of: Double.self)
  let (value, gradients) = valueAndGradient(at: inputs) { (operation($0).cast(.float32) * weights).sum() }
  func loss(_ y: Reference) -> Double { zip(y.values, weightValues).reduce(0) { $0 + $1.0 * $1.1 } }
  expectClose(
    value, Reference([loss(expected)], []), tolerance: tolerance * max(1, Double(expected.count).squareRoot()),
    "loss of the recorded run", at: location)

  for (number, input) in references.enumerated() {
    #expect(gradients[number].shape == inputs[number].shape, sourceLocation: location)
    let stride = max(1, input.count / 48)
    let actual = gradients[number].array(of: Double.self)
    var places: [Int] = []
    var differences: [Double] = []
    for i in Swift.stride(from: 0, to: input.count, by: stride) {
      let place = i + (stride > 1 ? (i / stride) % stride : 0)
      guard place < input.count else { continue }
      var moved = references
      moved[number].values[place] = input.values[place] + step
      let above = loss(reference(moved))
      moved[number].values[place] = input.values[place] - step
      let below = loss(reference(moved))
      places.append(place)
      differences.append((above - below) / (2 * step))
    }
    let largest = differences.reduce(0) { max($0, abs($1)) }
    let allowed = (gradientTolerance ?? max(Tolerance.gradient, 4 * tolerance)) * (1 + largest)
    for (place, difference) in zip(places, differences) where !(abs(actual[place] - difference) <= allowed) {
      Issue.record(
        """
        gradient of input \(number) (shape \(inputs[number].shape)) at element \(place): \(actual[place]), \
        central difference \(difference)
        """, sourceLocation: location)
      break
    }
  }
}

/// The same with inputs rounded to bfloat16, for operations that compute in it.
func checkGradientInBfloat16(
  of operation: ([Tensor]) -> Tensor, inputs: [Tensor], reference: ([Reference]) -> Reference,
  tolerance: Double = Tolerance.bfloat16, at location: SourceLocation = #_sourceLocation
) {
  checkGradient(
    of: operation, inputs: inputs.map { $0.cast(.bfloat16) }, reference: reference, tolerance: tolerance,
    gradientTolerance: 2 * tolerance, at: location)
}
