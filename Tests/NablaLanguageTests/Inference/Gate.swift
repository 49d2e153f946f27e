import Glibc

/// Where a logit hook waits until a test lets it on, so that a test knows what an engine has done and has not.
///
/// Unchecked: its numbers are used by whoever holds its lock.
final class Gate: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var arrived = 0
  private var allowed = 0

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

  /// Waits until so many have been let through as have come, this one included.
  func pass() {
    pthread_mutex_lock(mutex)
    arrived += 1
    let place = arrived
    pthread_cond_broadcast(changed)
    while allowed < place { pthread_cond_wait(changed, mutex) }
    pthread_mutex_unlock(mutex)
  }

  /// Returns when so many have come.
  func wait(for count: Int) {
    pthread_mutex_lock(mutex)
    while arrived < count { pthread_cond_wait(changed, mutex) }
    pthread_mutex_unlock(mutex)
  }

  /// Lets so many more through.
  func letThrough(_ count: Int) {
    pthread_mutex_lock(mutex)
    allowed += count
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }

  /// Lets all through from now on.
  func open() { letThrough(1 << 40) }
}
