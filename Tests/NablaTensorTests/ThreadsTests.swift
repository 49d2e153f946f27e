import NablaTensor
import Testing

@Suite("Threads")
struct ThreadsTests {
  private func withThreads(_ count: Int, _ body: () -> Void) {
    let before = Threads.count
    defer { Threads.count = before }
    Threads.count = count
    body()
  }

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
    withThreads(threads) {
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
}
