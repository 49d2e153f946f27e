import Dispatch
import Glibc

/// Runs `body` on a thread of its own, so that what computes never holds up what answers requests.
func onThread(_ body: @escaping @Sendable () -> Void) throws(StudioError) {
  let box = Unmanaged.passRetained(ThreadBody(body))
  var thread = pthread_t()
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setstacksize(&attributes, 8 << 20)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  let status = pthread_create(&thread, &attributes, runThreadBody, box.toOpaque())
  pthread_attr_destroy(&attributes)
  if status != 0 {
    box.release()
    throw StudioError("no thread could be started: \(String(cString: strerror(status)))")
  }
}

/// The result of `body`, computed on one of a few threads that take no part in answering requests.
func computed<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    queries.async { continuation.resume(with: Result { try body() }) }
  }
}

private let queries = DispatchQueue(label: "queries", attributes: .concurrent)

func pause(milliseconds: Int) {
  var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
  nanosleep(&time, nil)
}

private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

// A function of its own: a closure here would inherit the isolation around it.
@Sendable private func runThreadBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // Safe: the creator retained the box for this thread, and gives it to no other.
  Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().body()
  return nil
}
