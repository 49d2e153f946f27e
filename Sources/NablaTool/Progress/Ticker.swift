import Glibc
import Synchronization

/// Calls a function at intervals, on a thread of its own, until it is stopped.
final class Ticker: Sendable {
  private let isStopped = Atomic(false)

  init(every seconds: UInt32, _ tick: @escaping @Sendable () -> Void) {
    let work = Work { [weak self] in
      while true {
        sleep(seconds)
        guard let self, !self.isStopped.load(ordering: .acquiring) else { return }
        tick()
      }
    }
    start(work)
  }

  /// No call begins after this.
  func stop() { isStopped.store(true, ordering: .releasing) }

  private final class Work: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private static let run: @convention(c) @Sendable (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { work in
    Unmanaged<Work>.fromOpaque(work!).takeRetainedValue().run()
    return nil
  }

  private func start(_ work: Work) {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    // Signals are for the threads that compute.
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    pthread_create(&thread, &attributes, Self.run, Unmanaged.passRetained(work).toOpaque())
    pthread_sigmask(SIG_SETMASK, &before, nil)
  }
}
