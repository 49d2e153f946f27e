import NablaDiffusion
import NablaFormats
import NablaTensor
import Testing

/// Numbers that diffusers computed; Tests/Fixtures/generate/diffusion*.py say how.
struct Fixture {
  let tensors: [String: Tensor]

  init(_ name: String) throws {
    let here = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    tensors = try SafetensorsFile(path: "/\(here)/Fixtures/\(name).safetensors").tensors()
  }

  subscript(name: String) -> Tensor {
    get throws { try #require(tensors[name], "the fixture has no tensor \(name)") }
  }
  func doubles(_ name: String) throws -> [Double] { try self[name].array(of: Double.self) }
  func integers(_ name: String) throws -> [Int] { try self[name].array(of: Int32.self).map(Int.init) }
}

/// The largest |a - b| / (1 + largest |b|); NaN where either is.
func distance(_ a: Tensor, _ b: Tensor) -> Double {
  precondition(a.shape == b.shape, "\(a.shape) against \(b.shape)")
  let (a, b) = (a.array(of: Double.self), b.array(of: Double.self))
  var (difference, largest) = (0.0, 0.0)
  for (x, y) in zip(a, b) {
    if (x - y).isNaN { return .nan }
    difference = max(difference, abs(x - y))
    largest = max(largest, abs(y))
  }
  return difference / (1 + largest)
}

/// Data distributed as N(mean, deviation²), whose best denoiser is known at every noise level:
/// E[x₀ | x] = mean + α·s²/(α²s² + σ²)·(x - α·mean).
struct GaussianData {
  var mean = 0.0
  var deviation = 1.0

  func denoiser(predicting prediction: Prediction = .data) -> Denoiser {
    Denoiser(predicting: prediction) { x, step in
      let (a, s) = (step.level.alpha, step.level.sigma)
      let gain = a * deviation * deviation / (a * a * deviation * deviation + s * s)
      let data = x * Tensor(Float(gain)) + Tensor(Float(mean - gain * a * mean))
      switch prediction {
      case .data: return data
      case .noise: return (x - data * Tensor(Float(a))) / Tensor(Float(s))
      case .v:
        return (x - data * Tensor(Float(a))) * Tensor(Float(a / s)) - data * Tensor(Float(s))
      // x₀ - ε, of the conditional means, without a division by σ: E[ε | x] = σ(x - α·mean)/(α²s² + σ²).
      case .velocity:
        let noise = (x - Tensor(Float(a * mean))) * Tensor(Float(s / (a * a * deviation * deviation + s * s)))
        return data - noise
      case .score:
        return (x - Tensor(Float(a * mean))) * Tensor(Float(-1 / (a * a * deviation * deviation + s * s)))
      }
    }
  }

  /// The standard deviation of noisy data at a level.
  func deviation(at level: NoiseLevel) -> Double {
    (level.alpha * level.alpha * deviation * deviation + level.sigma * level.sigma).squareRoot()
  }
}

func mean(_ x: Tensor) -> Double { x.array(of: Double.self).reduce(0, +) / Double(x.count) }
func variance(_ x: Tensor) -> Double {
  let values = x.array(of: Double.self)
  let mean = values.reduce(0, +) / Double(values.count)
  return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
}
