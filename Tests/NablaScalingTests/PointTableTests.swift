import Foundation
import Testing

import NablaScaling

@Suite struct PointTableTests {
  private func read(_ text: String) throws(PointError) -> PointTable { try PointTable(text, file: "runs.csv") }

  private func error(_ text: String) -> PointError? {
    do throws(PointError) { _ = try read(text) } catch { return error }
    return nil
  }

  @Test func columnsInAnyOrderAndSpelling() throws {
    let table = try read(
      """
      # two runs
      run,Training FLOP, Model Size ,loss,"note, of mine"\r
      a,6e18,1e8,3.25,"said ""good"", twice"\r

      b,1.2e19,1e8,3.0,
      """)
    #expect(table.points.count == 2 && table.extraColumns == ["run", "note, of mine"])
    #expect(table.points[0].parameters == 1e8 && table.points[0].tokens == 1e10 && table.points[0].loss == 3.25)
    #expect(table.points[0].extra == ["run": "a", "note, of mine": "said \"good\", twice"])
    #expect(table.points[1].compute == 1.2e19 && table.points[1].extra["note, of mine"] == "")
    let unique = try read("D,params,L,unique tokens\n4e9,1e8,3,1e9")
    #expect(unique.points[0].uniqueTokens == 1e9 && unique.points[0].tokens == 4e9)
    #expect(try read("C,D,loss\n6e18,1e10,3\n").points[0].parameters == 1e8)
  }

  @Test func errorsNameFileAndLine() throws {
    let header = "N,D,loss\n1e8,1e9,3.5\n"
    #expect(
      error(header + "1e8,1e9,abc") == PointError(.notANumber(column: "loss", text: "abc"), file: "runs.csv", line: 3))
    #expect(error(header + "\n1e8,0,3") == PointError(.notPositive(column: "D", value: 0), file: "runs.csv", line: 4))
    #expect(error(header + "-1,1e9,3") == PointError(.notPositive(column: "N", value: -1), file: "runs.csv", line: 3))
    #expect(
      error(header + "1e8,inf,3") == PointError(.notPositive(column: "D", value: .infinity), file: "runs.csv", line: 3))
    #expect(
      error("N,D,loss\n1e200,1e200,3")
        == PointError(.notPositive(column: "6ND", value: .infinity), file: "runs.csv", line: 2))
    #expect(error(header + "1e8,1e9") == PointError(.fieldCount(found: 2, expected: 3), file: "runs.csv", line: 3))
    #expect(
      error("N,loss\n1,2") == PointError(.missingColumn("D or C", found: ["N", "loss"]), file: "runs.csv", line: 1))
    #expect(error("N,D\n1,2") == PointError(.missingColumn("loss", found: ["N", "D"]), file: "runs.csv", line: 1))
    #expect(error("N,n,D,loss\n1,2,3,4") == PointError(.duplicateColumn("N"), file: "runs.csv", line: 1))
    #expect(error("N,D,loss\n1e8,\"1e9,3") == PointError(.unfinishedQuote, file: "runs.csv", line: 2))
    let billions = try #require(error(header + "1e8,1.4,3"))
    #expect(billions.description.hasPrefix("runs.csv, line 3: D is 1.4: that many tokens?"))
    for (text, words) in [
      (header + "1e8,1e9,0.01", "below the entropy"), (header + "1e8,1e9,21", "worse than guessing"),
      ("N,D,C,loss\n1e8,1e9,6,3", "are N, D and C in"), ("", "too few"),
    ] {
      #expect(error(text)?.description.contains(words) == true)
    }
  }

  @Test func bytesThatAreNoText() throws {
    let path = NSTemporaryDirectory() + "points-\(UUID().uuidString).csv"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data([0xEF, 0xBB, 0xBF] + Array("N,D,loss\n1e8,1e9,3\n".utf8)).write(to: URL(fileURLWithPath: path))
    #expect(try PointTable(contentsOfFile: path).points.count == 1)
    try Data([0xFF, 0xFE, 0x00, 0x4E]).write(to: URL(fileURLWithPath: path))
    #expect(throws: PointError.self) { try PointTable(contentsOfFile: path) }
  }

  @Test func lawFilesComeBack() throws {
    let path = NSTemporaryDirectory() + "law-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let law = NamedLaw(
      name: "x", title: "my runs", form: .chinchilla(.besiroglu), largestCompute: 1e19, smallestCompute: 1e17,
      samples: [.hoffmann])
    try law.json()!.serialized().write(toFile: path, atomically: true, encoding: .utf8)
    let read = try NamedLaw(contentsOfFile: path)
    #expect(read.chinchilla == .besiroglu && read.samples == [.hoffmann] && read.largestCompute == 1e19)
    #expect(
      read.extrapolation(to: 1e21) == 100 && read.extrapolation(to: 1e18) == 1 && read.extrapolation(to: 1e15) == 100)
    for (text, problem) in [
      ("{}", "'form'"), (#"{"form": "chinchilla", "E": 1}"#, "'A'"), (#"{"form": "chinchilla", "E": -1}"#, "'E'"),
      (#"{"form": "chinchilla", "E": 1, "A": 1e4, "B": 1, "alpha": 0.001, "beta": 0.001}"#, "no finite optimal size"),
    ] {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      let error = #expect(throws: LawFileError.self) { try NamedLaw(contentsOfFile: path) }
      #expect(error?.description.contains(problem) == true)
    }
  }
}
