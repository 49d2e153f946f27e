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

  @Test("several ranges in one region", arguments: [1, 2, 3, 8])
  func severalRanges(threads: Int) {
    let counts = [3, 0, 100, 7, 1, 64, 0]
    let visits = counts.map { Tensor.zeros([$0], dtype: .int32) }
    let tooLong = Atomic(0)
    Threads.with(threads) {
      parallelFor(counts, grain: 8) { range, part in
        if part.lowerBound % 8 != 0 || part.upperBound % 8 != 0 && part.upperBound != counts[range] {
          tooLong.add(1, ordering: .relaxed)
        }
        for i in part { visits[range].pointer.assumingMemoryBound(to: Int32.self)[i] += 1 }
      }
      parallelFor([Int](), grain: 8) { _, _ in tooLong.add(1, ordering: .relaxed) }
    }
    #expect(visits.map { $0.array(of: Int32.self) } == counts.map { [Int32](repeating: 1, count: $0) })
    #expect(tooLong.load(ordering: .relaxed) == 0)
  }

  /// libgomp ends the threads that a region leaves out; creating them again takes longer than most operations.
  @Test("a region of few parts, or a small matrix product, keeps the threads of the others")
  func threadsStay() {
    /// The numbers that the system gave to the threads of a region of eight parts.
    func team() -> Set<String> {
      let seen = Mutex(Set<String>())
      parallelFor(8, grain: 1) { _ in
        var link = [CChar](repeating: 0, count: 64)
        _ = readlink("/proc/thread-self", &link, 63)
        let name = String(decoding: link.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        _ = seen.withLock { $0.insert(name) }
      }
      return seen.withLock(\.self)
    }
    let small = Tensor.numbers([60, 60])
    Threads.with(8) {
      let first = team()
      for _ in 0..<5 {
        parallelFor(3, grain: 1) { _ in }
        _ = small.matmul(small)
        #expect(team() == first)
      }
      #expect(first.count == 8)
    }
  }

  @Test("a small matrix product, which uses one thread, is the first operation of a process")
  func smallProductFirst() async {
    await #expect(processExitsWith: .success) { [count = Threads.count as Int] in
      let small = Tensor.numbers([60, 60])
      _ = small.matmul(small)
      precondition(Threads.count == count, "\(Threads.count) threads, not \(count)")
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
