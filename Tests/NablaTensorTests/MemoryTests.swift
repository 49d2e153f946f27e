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

  @Test("a smaller request is served by a larger free block") func largerBlocksServe() async {
    await #expect(processExitsWith: .success) {
      _ = Tensor.zeros([1000])
      let cached = Memory.statistics.cached
      // Down to six tenths of it; below half, a block of its own is made.
      for count in [950, 800, 600] {
        _ = Tensor.zeros([count])
        precondition(Memory.statistics.cached == cached, "\(count): \(Memory.statistics)")
      }
      let small = Tensor.zeros([300])
      precondition(Memory.statistics.current < cached / 2 && small.count == 300, "\(Memory.statistics)")
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
