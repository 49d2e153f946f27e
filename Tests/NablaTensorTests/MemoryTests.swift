import NablaTensor
import Testing

/// Each in a process of its own, whose memory no other test uses.
@Suite("Memory")
struct MemoryTests {
  @Test("free blocks of many sizes do not pile up") func freeBlocksAreBounded() async {
    await #expect(processExitsWith: .success) {
      var count = 100_000.0
      for _ in 0..<24 {
        _ = Tensor.zeros([Int(count)])
        count *= 1.19
      }
      let statistics = Memory.statistics
      precondition(statistics.current == 0 && statistics.cached > 0, "\(statistics)")
      precondition(Double(statistics.cached) <= 1.25 * Double(statistics.peak), "\(statistics)")
    }
  }

  @Test("blocks of a repeated step are reused") func blocksAreReused() async {
    await #expect(processExitsWith: .success) {
      func step() { _ = (0..<8).map { Tensor.zeros([1 << (10 + $0)]) } }
      step()
      let cached = Memory.statistics.cached
      for _ in 0..<3 { step() }
      precondition(cached > 0 && Memory.statistics.cached == cached, "\(Memory.statistics)")
    }
  }
}
