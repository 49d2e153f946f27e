import Glibc
import Synchronization

/// Turns Ctrl-C (SIGINT) and SIGTERM into a flag that the training loop polls, so that it can finish the step and save.
///
/// A second signal ends the process at once, with the status the shell gives such a death: 130 for SIGINT, 143 for
/// SIGTERM. SIGPIPE and SIGXFSZ are ignored: the write that caused them fails with an error instead.
///
/// ```swift
/// StopSignal.install()
/// while step < total, !StopSignal.isRequested { … }
/// ```
public enum StopSignal {
  /// Starts to catch both signals.
  public static func install() {
    // Touched here so that the handler never runs the lazy initialization of the global, which may take a lock.
    _ = requests.load(ordering: .relaxed)
    var action = sigaction()
    sigemptyset(&action.sa_mask)
    // Writes in flight are restarted rather than failed.
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { signal in
      // Only async-signal-safe work: an atomic counter, and _exit.
      if requests.add(1, ordering: .relaxed).oldValue > 0 { _exit(128 + signal) }
    }
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    // A parent may have left them blocked: children inherit that.
    var stopping = sigset_t()
    sigemptyset(&stopping)
    sigaddset(&stopping, SIGINT)
    sigaddset(&stopping, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &stopping, nil)
    // A closed pipe behind the progress display must not end a training either.
    signal(SIGPIPE, SIG_IGN)
    // Nor a file at its size limit kill the process before it can say so.
    signal(SIGXFSZ, SIG_IGN)
  }

  /// Whether a signal has come since ``install()`` or ``remove()``.
  public static var isRequested: Bool { requests.load(ordering: .relaxed) > 0 }

  /// Lets both signals end the process again, and forgets those that came.
  public static func remove() {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    requests.store(0, ordering: .relaxed)
  }
}

private let requests = Atomic<Int>(0)
