import Foundation
import NablaFormats
import NablaTensor
import Testing

/// Numbers that torch and transformers computed, mostly in float64; Tests/Fixtures/generate says how.
struct Fixture {
  let tensors: [String: Tensor]

  init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures")
    tensors = try SafetensorsFile(path: folder.appendingPathComponent("\(name).safetensors").path).tensors()
  }

  subscript(name: String) -> Tensor {
    get throws { try #require(tensors[name], "the fixture has no tensor \(name)") }
  }

  /// The tensors whose names begin with `prefix`, without it.
  func tensors(under prefix: String) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix) { result[String(name.dropFirst(prefix.count))] = tensor }
    return result
  }

  /// Compares `operation` of the case's inputs with the case's output, and the gradients of those that have one.
  func check(
    _ name: String, inputs: [String], tolerance: Double = Tolerance.operation,
    at location: SourceLocation = #_sourceLocation, _ operation: ([Tensor]) -> Tensor
  ) throws {
    let leaves = try inputs.map { try self["\(name).\($0)"] }
    let upstream = try self["\(name).output_gradient"]
    expectClose(
      operation(leaves), try self["\(name).output"], tolerance: tolerance, "\(name): output", at: location)
    let (_, gradients) = valueAndGradient(at: leaves) { (operation($0) * upstream).sum() }
    for (input, gradient) in zip(inputs, gradients) {
      expectClose(
        gradient, try self["\(name).\(input)_gradient"], tolerance: tolerance, "\(name): gradient of \(input)",
        at: location)
    }
  }
}

/// How far float32 results may be from float64 ones: |difference| ≤ tolerance · (1 + largest reference).
enum Tolerance {
  /// One operation: a few roundings of 6e-8, and approximations of exp and tanh good to about 1e-6.
  static let operation = 1e-5
  /// A whole block, forward and backward: sums of some hundred products in a row of ten operations.
  static let block = 2e-5
  /// bfloat16 keeps 8 bits; some ten roundings of 2⁻⁹ in a row.
  static let bfloat16 = 0.03
}

/// The largest |a - b|, relative to 1 + the largest |b|; NaN where either is.
func distance(_ a: Tensor, _ b: Tensor) -> Double {
  let (a, b) = (a.array(of: Double.self), b.array(of: Double.self))
  var (difference, largest) = (0.0, 0.0)
  for (x, y) in zip(a, b) {
    if (x - y).isNaN { return .nan }
    difference = max(difference, abs(x - y))
    largest = max(largest, abs(y))
  }
  return difference / (1 + largest)
}

/// ‖a - b‖ / (‖b‖ + √n / 10): relative, but for references that are all but 0.
func distanceOfNorms(_ a: Tensor, _ b: Tensor) -> Double {
  precondition(a.shape == b.shape, "\(a.shape) against \(b.shape)")
  func norm(_ x: Tensor) -> Double { x.array(of: Double.self).reduce(0) { $0 + $1 * $1 }.squareRoot() }
  return norm(a - b) / (norm(b) + Double(b.count).squareRoot() / 10)
}

func expectClose(
  _ actual: Tensor, _ expected: Tensor, tolerance: Double = Tolerance.operation, _ what: String = "result",
  at location: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record("\(what): shape \(actual.shape), expected \(expected.shape)", sourceLocation: location)
    return
  }
  let distance = distance(actual, expected)
  #expect(distance <= tolerance, "\(what)", sourceLocation: location)
}

/// Expects the same bits.
func expectEqual(
  _ actual: Tensor, _ expected: Tensor, _ what: String = "result", at location: SourceLocation = #_sourceLocation
) {
  #expect(actual.shape == expected.shape, "\(what)", sourceLocation: location)
  #expect(
    actual.array().map(\.bitPattern) == expected.array().map(\.bitPattern), "\(what)", sourceLocation: location)
}
