import Glibc
import NablaTool
import Testing

/// Signals belong to the whole process, hence a process for each test.
@Suite struct StopSignalTests {
  /// Sends a signal to this process and waits until `isDone`, or ten seconds. (`raise` would not do: it aims at this
  /// thread, and the workers of the concurrency runtime block signals.)
  private static func send(_ signal: Int32, until isDone: () -> Bool) {
    kill(getpid(), signal)
    for _ in 0..<1000 where !isDone() { usleep(10_000) }
  }

  @Test func theFirstSignalOnlySetsTheFlag() async {
    await #expect(processExitsWith: .success) {
      for signal in [SIGINT, SIGTERM] {
        StopSignal.install()
        precondition(!StopSignal.isRequested)
        Self.send(signal) { StopSignal.isRequested }
        precondition(StopSignal.isRequested)
        StopSignal.remove()
        precondition(!StopSignal.isRequested)
      }
    }
  }

  @Test func removedItLetsSignalsEndTheProcess() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      StopSignal.install()
      StopSignal.remove()
      Self.send(SIGINT) { false }
    }
    await #expect(processExitsWith: .signal(SIGTERM)) {
      StopSignal.install()
      StopSignal.remove()
      Self.send(SIGTERM) { false }
    }
  }

  @Test func theSecondSignalEndsTheProcess() async {
    await #expect(processExitsWith: .exitCode(130)) {
      StopSignal.install()
      Self.send(SIGINT) { StopSignal.isRequested }
      Self.send(SIGINT) { false }
    }
    await #expect(processExitsWith: .exitCode(143)) {
      StopSignal.install()
      Self.send(SIGINT) { StopSignal.isRequested }
      Self.send(SIGTERM) { false }
    }
  }
}
