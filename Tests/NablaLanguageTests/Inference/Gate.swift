import Glibc

/// Where a logit hook waits until a test lets it on, so that a test knows what an engine has done and has not.
///
/// Unchecked: its numbers are used by whoever holds its lock.
final class Gate: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var (arrived, allowed) = (0, 0)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  private func change(until isDone: () -> Bool = { true }, _ body: () -> Void = {}) {
    pthread_mutex_lock(mutex)
    body()
    pthread_cond_broadcast(changed)
    while !isDone() { pthread_cond_wait(changed, mutex) }
    pthread_mutex_unlock(mutex)
  }

  /// Waits until so many have been let through as have come, this one included.
  func pass() {
    var place = Int.max
    change(until: { self.allowed >= place }) {
      arrived += 1
      place = arrived
    }
  }

  /// Returns when so many have come.
  func wait(for count: Int) { change(until: { self.arrived >= count }) }

  /// Lets so many more through.
  func letThrough(_ count: Int) { change { allowed += count } }

  /// Lets all through from now on.
  func open() { change { allowed = .max } }
}
