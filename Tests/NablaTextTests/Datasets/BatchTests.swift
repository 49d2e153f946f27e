import NablaText
import Testing

@Suite struct PackingTests {
  /// Best-fit decreasing by hand: 7 opens a row, 6 another, 4 goes beside 6, 3 beside 7, 2 opens a third.
  @Test func bestFitDecreasing() {
    #expect(packed([2, 3, 4, 6, 7], into: 10, order: Array(0..<5)) == [[4, 1], [3, 2], [0]])
    #expect(packed([5, 5, 5], into: 10, order: [2, 0, 1]) == [[2, 0], [1]])
    #expect(packed([], into: 4, order: []) == [])
    // 5 fits into the rooms 5 and 6 (after 4): it takes the tighter.
    #expect(packed([9, 8, 3, 2, 1], into: 11, order: Array(0..<5)) == [[0, 3], [1, 2], [4]])
  }

  @Test(arguments: [1, 63, 64, 65, 300])
  func everySequenceIsInOneRowThatHoldsIt(rowLength: Int) {
    var random = SplitMix(seed: UInt64(rowLength))
    let lengths = (0..<500).map { _ in Int.random(in: 0...rowLength, using: &random) }
    let rows = packed(lengths, into: rowLength, order: Array(lengths.indices))
    #expect(rows.flatMap { $0 }.sorted() == Array(lengths.indices))
    let filled = rows.map { $0.reduce(0) { $0 + lengths[$1] } }
    #expect(filled.allSatisfy { $0 <= rowLength })
    // At most one row can be half empty: two such would have been one.
    #expect(filled.filter { $0 * 2 <= rowLength }.count <= 1)
  }
}

@Suite struct BatchScheduleTests {
  static let lengths: [Int] = {
    var random = SplitMix(seed: 11)
    return (0..<203).map { _ in Int.random(in: 1...100, using: &random) }
  }()

  @Test(arguments: [BatchSchedule.Layout.packed(rowLength: 128), .grouped])
  func aStepIsAFunctionOfSeedAndStep(layout: BatchSchedule.Layout) {
    func schedule(_ seed: UInt64) -> BatchSchedule {
      BatchSchedule(lengths: Self.lengths, layout: layout, batchSize: 4, seed: seed)
    }
    let one = schedule(1)
    let steps = one.stepsPerEpoch
    let epochs = (0..<2).map { epoch in (0..<steps).map { one.rows(step: epoch * steps + $0) } }
    for epoch in epochs {
      #expect(epoch.flatMap { $0.flatMap { $0 } }.sorted() == Array(Self.lengths.indices))
      #expect(epoch.allSatisfy { $0.count <= 4 } && epoch.filter { $0.count < 4 }.count <= 1)
    }
    #expect(epochs[0] != epochs[1])
    // Asked in another order, as after a resume.
    let resumed = schedule(1)
    for step in [steps + 3, 2, steps, 0] { #expect(resumed.rows(step: step) == epochs[step / steps][step % steps]) }
    #expect(schedule(2).rows(step: 0) != epochs[0][0])
  }

  /// Padding of grouped batches is far below that of shuffled ones.
  @Test func groupsHaveSimilarLengths() {
    let schedule = BatchSchedule(lengths: Self.lengths, layout: .grouped, batchSize: 4, seed: 1)
    var (padded, used) = (0, 0)
    for step in 0..<schedule.stepsPerEpoch {
      let lengths = schedule.rows(step: step).map { Self.lengths[$0[0]] }
      padded += lengths.max()! * lengths.count
      used += lengths.reduce(0, +)
    }
    #expect(Double(padded) < 1.1 * Double(used), "\(padded) places for \(used) tokens")
  }
}
