import NablaFormats
import NablaTraining
import Testing

@Suite struct MetricsLogTests {
  private func record(_ folder: String, _ steps: ClosedRange<Int>, resumingAfter step: Int? = nil) throws {
    let log = try MetricsLog(folder: folder, resumingAfter: step, now: { 12.3456 })
    for step in steps { try log.record(step: step, ["loss": 1 / Double(step), "learning_rate": 1e-4]) }
  }

  @Test func writesFlatLines() throws {
    try withTemporaryFolder { folder in
      let log = try MetricsLog(folder: folder, now: { 12.3456 })
      try log.record(step: 1, ["loss": 2.5, "gradient_norm": .infinity])
      // At once, before anything is closed.
      #expect(
        try readText("\(folder)/metrics.jsonl") == #"{"step":1,"time":12.346,"loss":2.5,"gradient_norm":null}"# + "\n")
      let records = try MetricsRecord.readAll(folder: folder)
      #expect(records.count == 1 && records[0].step == 1 && records[0].time == 12.346)
      #expect(records[0]["loss"] == 2.5 && records[0]["gradient_norm"]?.isNaN == true && records[0]["absent"] == nil)
      #expect(try folderEntries(folder).count { $0.hasPrefix("events.out.tfevents.12.") } == 1)
    }
  }

  @Test func resumingDropsLaterSteps() throws {
    try withTemporaryFolder { folder in
      try record(folder, 1...10)
      try record(folder, 7...8, resumingAfter: 6)
      #expect(try MetricsRecord.readAll(folder: folder).map(\.step) == [1, 2, 3, 4, 5, 6, 7, 8])
      try record(folder, 9...9, resumingAfter: 8)
      #expect(try MetricsRecord.readAll(folder: folder).map(\.step) == Array(1...9))
    }
  }

  /// Whatever a crash left of the last line, what follows starts on a line of its own.
  @Test(arguments: 1...40) func resumingRepairsATornLine(cut: Int) throws {
    try withTemporaryFolder { folder in
      try record(folder, 1...3)
      let path = "\(folder)/metrics.jsonl"
      try overwrite(path, Array(try readBytes(path).dropLast(cut)))
      #expect(try MetricsRecord.readAll(folder: folder).map(\.step) == (cut == 1 ? [1, 2, 3] : [1, 2]))
      try record(folder, 3...4, resumingAfter: 2)
      #expect(try MetricsRecord.readAll(folder: folder).map(\.step) == [1, 2, 3, 4])
      #expect(try readText(path).split(separator: "\n").count == 4)
    }
  }

  @Test func resumingEndsALineThatLacksOnlyItsEnd() throws {
    try withTemporaryFolder { folder in
      try record(folder, 1...3)
      let path = "\(folder)/metrics.jsonl"
      try overwrite(path, Array(try readBytes(path).dropLast()))
      try record(folder, 4...4, resumingAfter: 3)
      #expect(try MetricsRecord.readAll(folder: folder).map(\.step) == [1, 2, 3, 4])
    }
  }

  @Test func resumingWithoutALogStartsOne() throws {
    try withTemporaryFolder { folder in
      try record(folder, 5...6, resumingAfter: 4)
      #expect(try MetricsRecord.readAll(folder: folder).map(\.step) == [5, 6])
    }
  }
}
