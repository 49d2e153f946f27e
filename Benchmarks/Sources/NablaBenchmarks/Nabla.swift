import Foundation
import Nabla

/// Seconds of each of `count` calls of `body`.
func secondsPerCall(_ count: Int, _ body: () -> Void) -> [Double] {
  (0..<count).map { _ in
    let start = monotonicSeconds()
    body()
    return monotonicSeconds() - start
  }
}

/// The peak resident memory of this process, in MiB, as reported by the system.
func peakResidentMiB() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}
