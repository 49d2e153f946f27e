import CNablaKernels
import Glibc

/// How many threads operations use: those of oneDNN's pool, which our own kernels share.
public enum Threads {
  /// The number of threads for one operation, whichever thread runs it; by default the number of cores.
  ///
  /// Inside ``with(_:_:)`` it is the number given there. Setting it changes it for the whole process.
  public static var count: Int {
    get { Int(nabla_thread_count()) }
    set {
      precondition(newValue >= 1, "Threads.count must be at least 1")
      nabla_set_thread_count(Int32(clamping: newValue))
    }
  }

  /// Runs `body` with another number of threads for its operations; other threads of the process keep theirs.
  public static func with<R>(_ count: Int, _ body: () throws -> R) rethrows -> R {
    precondition(count >= 1, "Threads.with: \(count) threads")
    let before = nabla_use_thread_count(Int32(clamping: count))
    defer { _ = nabla_use_thread_count(before) }
    return try body()
  }
}

extension Threads {
  /// Starts the program anew, once, with waiting threads that soon give up their core; a program calls it before it
  /// does anything else.
  ///
  /// A thread of libgomp polls 300,000 times for the others before it sleeps. When other programs need the cores, the
  /// polling takes them from the threads that are waited for: with 10,000 polls training was six times faster on a busy
  /// computer, and as fast on a quiet one. libgomp reads the limit only from the environment, when it is loaded.
  /// Does nothing if GOMP_SPINCOUNT or OMP_WAIT_POLICY is set.
  public static func limitPolling() {
    guard getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil else { return }
    setenv("GOMP_SPINCOUNT", "10000", 1)
    // If the system has no /proc, the program continues as it is.
    execv("/proc/self/exe", CommandLine.unsafeArgv)
  }

  /// Runs `body` while all other threads wait for its operations, which then start sooner: for many short ones
  /// in a row.
  ///
  /// - Precondition: none of the operations is a matrix multiplication or a convolution in oneDNN.
  package static func whileHeld<R>(_ body: () -> R) -> R {
    var result: R?
    // Safe: nabla_hold_threads returns only when the closure has, which ran on this thread.
    withoutActuallyEscaping({ result = body() }) { body in
      var body: () -> Void = body
      withUnsafeMutablePointer(to: &body) { pointer in
        nabla_hold_threads(nabla_thread_count(), pointer) { context in
          context!.assumingMemoryBound(to: (() -> Void).self).pointee()
        }
      }
    }
    return result!
  }
}

/// Runs `body` over parts of 0..<count on all threads. Parts are multiples of `grain`, except the last, and each index
/// belongs to exactly one part; a body that treats each index alike gives the same bits for any number of threads.
package func parallelFor(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
  let parts = (count + grain - 1) / grain
  let threads = parts <= 1 ? 1 : min(Threads.count, parts)
  if threads == 1 {
    if count > 0 { body(0..<count) }
    return
  }
  // Safe: nabla_parallel returns only when every thread is done with the closure, and callers write disjoint parts.
  withoutActuallyEscaping(body) { body in
    var work = Work(count: count, grain: grain, parts: parts, body: body)
    withUnsafeMutablePointer(to: &work) { pointer in
      nabla_parallel(Int32(threads), pointer) { context, thread, threads in
        let work = context!.assumingMemoryBound(to: Work.self).pointee
        let first = work.parts * Int(thread) / Int(threads) * work.grain
        let last = min(work.parts * (Int(thread) + 1) / Int(threads) * work.grain, work.count)
        if first < last { work.body(first..<last) }
      }
    }
  }
}

/// The same for several ranges 0..<counts[i] at once, which start the threads once: `body` is passed i and a part.
package func parallelFor(_ counts: [Int], grain: Int, _ body: (_ range: Int, _ part: Range<Int>) -> Void) {
  var starts = [0]  // of each range, in grains
  for count in counts { starts.append(starts.last! + (count + grain - 1) / grain) }
  parallelFor(starts.last!, grain: 1) { grains in
    for (i, count) in counts.enumerated() {
      let own = grains.clamped(to: starts[i]..<starts[i + 1])
      guard !own.isEmpty else { continue }
      body(i, (own.lowerBound - starts[i]) * grain..<min((own.upperBound - starts[i]) * grain, count))
    }
  }
}

private struct Work {
  var count: Int
  var grain: Int
  var parts: Int
  var body: (Range<Int>) -> Void
}
