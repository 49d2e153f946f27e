import NablaTensor
import NablaTraining

extension Hardware {
  /// This computer, its rate measured by multiplying matrices for about `seconds`.
  ///
  /// The best of several 1024 × 1024 matrix multiplications, in bfloat16 if the CPU supports it in hardware.
  public static func this(measuringFor seconds: Double = 1) -> Hardware {
    let size = 1_024
    var random = RandomSource(seed: 1)
    let type: DType = hasFastBFloat16 ? .bfloat16 : .float32
    let (a, b) = (random.normal([size, size]).cast(type), random.normal([size, size]).cast(type))
    let end = monotonicSeconds() + seconds
    var best = Double.infinity
    withoutGradient {
      repeat {
        let start = monotonicSeconds()
        _ = a.matmul(b)
        best = min(best, monotonicSeconds() - start)
      } while monotonicSeconds() < end
    }
    let cube = Double(size * size * size)
    return Hardware(
      name: "this computer", flopPerSecond: 2 * cube / best,
      source: "measured: \(size)×\(size) matrices of \(type), \(Threads.count) threads")
  }
}
