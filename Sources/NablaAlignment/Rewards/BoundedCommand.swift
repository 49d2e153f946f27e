import Glibc

/// A shell command that cannot hang its caller: it has a time limit and an output limit, and anything left
/// running in its process group is killed.
struct BoundedCommand: Sendable {
  let command: String
  /// Seconds.
  let timeLimit: Double
  /// Bytes of standard output.
  let outputLimit: Int
  /// How many run at once.
  let concurrency: Int

  enum Outcome: Equatable {
    case finished(output: [UInt8], errors: [UInt8], status: Int32)
    case signaled(Int32)
    case timedOut
    /// It wrote more than the limit.
    case flooded
    case unstartable(String)
  }

  /// Runs the command once for each input, several at a time; outcomes are in the order of the inputs.
  func run(_ inputs: [[UInt8]]) -> [Outcome] {
    var outcomes = [Outcome?](repeating: nil, count: inputs.count)
    var running: [(index: Int, child: Child)] = []
    var next = 0
    while next < inputs.count || !running.isEmpty {
      while next < inputs.count && running.count < max(concurrency, 1) {
        switch Child.start(command, input: inputs[next], timeLimit: timeLimit) {
        case .success(let child): running.append((next, child))
        case .failure(let error): outcomes[next] = .unstartable(error.problem)
        }
        next += 1
      }
      Child.wait(running.map(\.child))
      running.removeAll { index, child in
        outcomes[index] = child.outcome(outputLimit: outputLimit)
        return outcomes[index] != nil
      }
    }
    return outcomes.map { $0! }
  }
}

/// A running process, the leader of a group of its own.
private final class Child {
  struct StartError: Error { let problem: String }

  private let pid: pid_t
  private let deadline: Double
  private var output: Pipe
  private var errors: Pipe

  private init(pid: pid_t, deadline: Double, output: Int32, errors: Int32) {
    (self.pid, self.deadline) = (pid, deadline)
    (self.output, self.errors) = (Pipe(descriptor: output), Pipe(descriptor: errors))
  }

  static func start(_ command: String, input: [UInt8], timeLimit: Double) -> Result<Child, StartError> {
    func failure(_ what: String, _ code: Int32) -> Result<Child, StartError> {
      .failure(StartError(problem: "\(what): \(String(cString: strerror(code)))"))
    }
    // The input is an unnamed file: nothing has to write it while the child reads.
    guard let temporary = tmpfile() else { return failure("input", errno) }
    defer { fclose(temporary) }
    let file = fileno(temporary)
    closeOnExecution(file)
    var written = 0
    while written < input.count {
      let count = input.withUnsafeBytes {
        pwrite(file, $0.baseAddress! + written, input.count - written, off_t(written))
      }
      guard count > 0 else { return failure("input", errno) }
      written += count
    }
    var (out, err): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&out) == 0 else { return failure("pipe", errno) }
    guard pipe(&err) == 0 else {
      let code = errno
      out.forEach { close($0) }
      return failure("pipe", code)
    }
    (out + err).forEach(closeOnExecution)
    // The child's ends of the pipes block, as programs expect; ours do not.
    for end in [out[0], err[0]] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (from, to) in [(file, Int32(0)), (out[1], 1), (err[1], 2)] {
      posix_spawn_file_actions_adddup2(&actions, from, to)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var arguments = ["sh", "-c", command].map { (text: String) -> UnsafeMutablePointer<CChar>? in strdup(text) }
    arguments.append(nil)
    defer { arguments.forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &arguments, environ)
    close(out[1])
    close(err[1])
    guard code == 0 else {
      close(out[0])
      close(err[0])
      return failure("/bin/sh", code)
    }
    return .success(Child(pid: pid, deadline: now() + timeLimit, output: out[0], errors: err[0]))
  }

  /// Sleeps until one of the children has written, or for 5 ms: a child's exit is not visible in a descriptor.
  static func wait(_ children: [Child]) {
    var polled = children.flatMap { [$0.output, $0.errors] }.filter { !$0.isAtEnd }
      .map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    poll(&polled, nfds_t(polled.count), polled.isEmpty ? 1 : 5)
  }

  /// Its outcome, or nil while it runs; then its pipes are closed and its group is killed.
  func outcome(outputLimit: Int) -> BoundedCommand.Outcome? {
    output.read(keeping: outputLimit + 1)
    errors.read(keeping: 4096)
    var information = siginfo_t()
    let hasEnded =
      waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo == SIGCHLD
    let isFlooded = output.bytes.count > outputLimit
    guard hasEnded || isFlooded || now() >= deadline else { return nil }
    // Before the process is reaped: until then its number cannot be reused.
    kill(-pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    // What it wrote between the last poll and its exit.
    output.read(keeping: outputLimit + 1)
    errors.read(keeping: 4096)
    output.close()
    errors.close()
    if output.bytes.count > outputLimit { return .flooded }
    guard hasEnded else { return .timedOut }
    let signal = status & 0x7f
    return signal != 0
      ? .signaled(signal)
      : .finished(output: output.bytes, errors: errors.bytes, status: (status >> 8) & 0xff)
  }

  /// Seconds on a monotonic clock.
  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
  private func now() -> Double { Child.now() }
}

/// Keeps a descriptor from being inherited by other children.
private func closeOnExecution(_ descriptor: Int32) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }

/// The reading end of a pipe that does not block.
private struct Pipe {
  let descriptor: Int32
  private(set) var bytes: [UInt8] = []
  private(set) var isAtEnd = false

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Reads what is available; bytes beyond the limit are dropped.
  mutating func read(keeping limit: Int) {
    var buffer = [UInt8](repeating: 0, count: 8192)
    // Bounded: a writer faster than this reader must not keep it here.
    for _ in 0..<64 where !isAtEnd {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        isAtEnd = errno != EAGAIN
        return
      }
      if count == 0 { isAtEnd = true }
      bytes += buffer[..<min(count, max(limit - bytes.count, 0))]
    }
  }

  func close() { _ = Glibc.close(descriptor) }
}
