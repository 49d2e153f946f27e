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

/// The most memory this process has held so far, in MiB, as the system counts it.
func peakResidentMiB() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}
