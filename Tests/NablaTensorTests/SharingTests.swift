import CNablaKernels
import Synchronization
import Testing

@Suite("Work shared with helpers")
struct SharingTests {
  /// How often each piece has run.
  private final class Counts: Sendable {
    let pieces: Int
    private let runs: Mutex<[Int]>

    init(_ pieces: Int) {
      self.pieces = pieces
      runs = Mutex(Array(repeating: 0, count: pieces))
    }

    func run(_ piece: Int) { runs.withLock { $0[piece] += 1 } }
    var values: [Int] { runs.withLock { $0 } }

    func share(threads: Int32) {
      nabla_share(threads, Int64(pieces), Unmanaged.passUnretained(self).toOpaque()) { context, piece in
        Unmanaged<Counts>.fromOpaque(context!).takeUnretainedValue().run(Int(piece))
      }
    }
  }

  @Test("each piece runs once, however many helpers there are", arguments: [1, 2, 3, 9] as [Int32])
  func once(_ threads: Int32) {
    for pieces in [0, 1, 2, 7, 100] {
      let counts = Counts(pieces)
      for _ in 0..<200 { counts.share(threads: threads) }
      #expect(counts.values.allSatisfy { $0 == 200 }, "\(pieces) pieces: \(counts.values)")
    }
    let many = Counts(70_000)
    many.share(threads: threads)
    #expect(many.values.allSatisfy { $0 == 1 })
  }

  @Test("from several threads at once")
  func atOnce() async {
    await withTaskGroup(of: [Int].self) { group in
      for _ in 0..<4 {
        group.addTask {
          let counts = Counts(50)
          for _ in 0..<300 { counts.share(threads: 3) }
          return counts.values
        }
      }
      for await values in group { #expect(values.allSatisfy { $0 == 300 }) }
    }
  }
}
