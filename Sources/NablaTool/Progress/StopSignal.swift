import Glibc
import Synchronization

/// Turns Ctrl-C (SIGINT) and SIGTERM into a flag that the training loop polls, so that it can finish the step and save.
///
/// A second signal ends the process immediately, with the shell's status for it: 130 for SIGINT, 143
/// for SIGTERM. SIGPIPE and SIGXFSZ are ignored: the write that caused them fails with an error instead.
///
/// ```swift
/// StopSignal.install()
/// while step < total, !StopSignal.isRequested { … }
/// ```
package enum StopSignal {
  /// Starts catching both signals.
  package static func install() {
    // Touched here so that the handler never runs the lazy initialization of the global, which may take a lock.
    _ = requests.load(ordering: .relaxed)
    var action = sigaction()
    sigemptyset(&action.sa_mask)
    // Writes in flight are restarted rather than failed.
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { signal in
      // Only async-signal-safe work: an atomic number, and _exit.
      if requests.exchange(signal, ordering: .relaxed) != 0 { _exit(128 + signal) }
    }
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    // A parent may have left them blocked: children inherit that.
    var stopping = sigset_t()
    sigemptyset(&stopping)
    sigaddset(&stopping, SIGINT)
    sigaddset(&stopping, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &stopping, nil)
    // A closed pipe behind the progress display must not end training either.
    signal(SIGPIPE, SIG_IGN)
    // Nor a file at its size limit kill the process before it can say so.
    signal(SIGXFSZ, SIG_IGN)
  }

  /// Whether a signal has arrived since ``install()`` or ``remove()``.
  package static var isRequested: Bool { received != nil }

  /// The signal that has arrived.
  package static var received: Int32? {
    let signal = requests.load(ordering: .relaxed)
    return signal == 0 ? nil : signal
  }

  /// Lets both signals end the process again, and clears pending ones.
  package static func remove() {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    requests.store(0, ordering: .relaxed)
  }
}

/// The signal that has arrived, or 0.
private let requests = Atomic<Int32>(0)
