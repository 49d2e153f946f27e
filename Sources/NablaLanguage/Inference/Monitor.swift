import Glibc

/// Shared state with a mutex and a condition variable. Unchecked: the state is accessed only with the mutex held.
final class Monitor<State>: @unchecked Sendable {
  private var state: State
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init(_ state: State) {
    self.state = state
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Changes the state, and wakes waiting threads.
  func update<R>(_ body: (inout State) throws -> R) rethrows -> R {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(mutex)
    }
    return try body(&state)
  }

  /// Blocks the thread until `body` returns something.
  ///
  /// - Parameter poll: called every 20 ms meanwhile, without the mutex.
  func wait<R>(polling poll: (() -> Void)? = nil, _ body: (inout State) -> R?) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&state) { return result }
      guard let poll else {
        pthread_cond_wait(changed, mutex)
        continue
      }
      var deadline = timespec()
      clock_gettime(CLOCK_REALTIME, &deadline)
      deadline.tv_nsec += 20_000_000
      if deadline.tv_nsec >= 1_000_000_000 {
        (deadline.tv_sec, deadline.tv_nsec) = (deadline.tv_sec + 1, deadline.tv_nsec - 1_000_000_000)
      }
      pthread_cond_timedwait(changed, mutex, &deadline)
      pthread_mutex_unlock(mutex)
      poll()
      pthread_mutex_lock(mutex)
    }
  }
}
