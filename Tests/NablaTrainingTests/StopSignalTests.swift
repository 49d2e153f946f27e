import Glibc
import NablaTraining
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
      StopSignal.install()
      precondition(!StopSignal.isRequested)
      for signal in [SIGINT, SIGTERM] {
        Self.send(signal) { StopSignal.isRequested }
        precondition(StopSignal.isRequested)
        StopSignal.reset()
        precondition(!StopSignal.isRequested)
      }
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
