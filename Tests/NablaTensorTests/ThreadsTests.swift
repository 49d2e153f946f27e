import Glibc
import NablaTensor
import Synchronization
import Testing

@Suite("Threads")
struct ThreadsTests {
  /// How often each index was worked on in several regions, the last of which opens regions of its own.
  private func visits(_ count: Int) -> [Int32] {
    let visits = Tensor.zeros([count], dtype: .int32)
    let numbers = visits.pointer.assumingMemoryBound(to: Int32.self)
    for _ in 0..<30 { parallelFor(count, grain: 1) { for i in $0 { numbers[i] += 1 } } }
    parallelFor(count, grain: 1) { range in
      parallelFor(range.count, grain: 1) { for i in $0 { numbers[range.lowerBound + i] += 1000 } }
    }
    return visits.array(of: Int32.self)
  }

  @Test("every index belongs to one thread, held or not", arguments: [1, 2, 3, 5])
  func everyIndexOnce(threads: Int) {
    Threads.with(threads) {
      for count in [1, 2, 3, 64] {
        let once = [Int32](repeating: 1030, count: count)
        #expect(visits(count) == once)
        #expect(Threads.whileHeld { visits(count) } == once)
        #expect(Threads.whileHeld { Threads.whileHeld { visits(count) } } == once)
      }
    }
  }

  @Test("several callers hold threads at once")
  func severalCallers() async {
    await withTaskGroup(of: [Int32].self) { group in
      for _ in 0..<4 {
        group.addTask { Threads.whileHeld { visits(8) } }
      }
      for await result in group { #expect(result == [Int32](repeating: 1030, count: 8)) }
    }
  }

  @Test("threads let go take part in matrix products again")
  func letGo() {
    let (a, b) = (Tensor.numbers([300, 200]), Tensor.numbers([200, 100], seed: 2))
    let before = a.matmul(b).array(of: Float.self)
    #expect(Threads.whileHeld { a.sum(axis: 1).count } == 300)
    #expect(a.matmul(b).array(of: Float.self) == before)
  }

  /// Runs `body` on a new thread, whose own number libgomp sets to that of the cores.
  private static func onNewThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let run: @convention(c) @Sendable (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
      Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
      return nil
    }
    precondition(pthread_create(&thread, nil, run, box.toOpaque()) == 0)
    pthread_join(thread, nil)
  }

  private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  @Test("one number for all threads, but where one has its own")
  func everyThread() async {
    // In a process of its own, whose number this is.
    await #expect(processExitsWith: .success) {
      /// Threads that take part in a region.
      @Sendable func team() -> Int {
        let seen = Mutex(Set<UInt>())
        parallelFor(64, grain: 1) { _ in _ = seen.withLock { $0.insert(UInt(pthread_self())) } }
        return seen.withLock(\.count)
      }
      for count in [3, 1, 5] {
        Threads.count = count
        precondition(team() == count)
        Self.onNewThread {
          precondition(Threads.count == count && team() == count)
          Threads.with(2) { precondition(Threads.count == 2 && team() == 2) }
          precondition(team() == count)
        }
        Threads.with(4) {
          precondition(team() == 4)
          Self.onNewThread { precondition(team() == count) }
        }
      }
    }
  }

  @Test("a matrix multiplication divided among one thread is divided among two when there are two, on any thread")
  func moreThreads() async {
    // In a process of its own, where only these multiplications take time.
    await #expect(processExitsWith: .success) {
      @Sendable func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
      }
      let (a, b) = (Tensor.full([1024, 1024], 1), Tensor.full([1024, 1024], 1))
      /// Processor time that other threads take, for each second that this one takes.
      @Sendable func shareOfOthers() -> Double {
        let (all, mine) = (seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_THREAD_CPUTIME_ID))
        for _ in 0..<12 { _ = a.matmul(b) }
        let here = seconds(CLOCK_THREAD_CPUTIME_ID) - mine
        return (seconds(CLOCK_PROCESS_CPUTIME_ID) - all - here) / here
      }
      Threads.count = 1
      precondition(shareOfOthers() < 0.1)
      Self.onNewThread { precondition(shareOfOthers() < 0.1) }
      Threads.count = 2
      precondition(shareOfOthers() > 0.5)
      Self.onNewThread { precondition(shareOfOthers() > 0.5) }
    }
  }
}
