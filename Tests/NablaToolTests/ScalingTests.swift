import Foundation
import Nabla
import Testing

extension ToolTests {
  @Suite struct ScalingTests {
    private let table = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Examples/ScalingLaws/chinchilla-figure-4.csv").path

    @Test func planSaysWhatTheLibrarySays() throws {
      let result = try Tool.run(["scaling", "plan", "--compute", "1e21", "--json"])
      #expect(result.status == 0, "\(result.summary)")
      let object = try JSONValue(parsing: result.output)
      let expected = Chinchilla.besiroglu.optimalAllocation(compute: 1e21)
      #expect(object["N"]?.double == expected.parameters && object["D"]?.double == expected.tokens)
      let text = try Tool.run([
        "scaling", "plan", "--hardware", "8xH100", "--days", "3", "--price", "2.5", "--serve-tokens", "1T",
        "--unique-tokens", "20B", "--law", "chinchilla",
      ])
      #expect(text.status == 0, "\(text.summary)")
      for words in ["8 × H100", "cost", "6ND", "PaLM", "epochs", "Sardana", "key/value heads"] {
        #expect(text.output.contains(words), "\(words)")
      }
    }

    @Test func farExtrapolationWarns() throws {
      let result = try Tool.run(["scaling", "plan", "--compute", "1e26"])
      #expect(result.status == 0 && result.errors.contains("times beyond the largest run"), "\(result.summary)")
      #expect(try Tool.run(["scaling", "plan", "--compute", "1e23"]).errors.isEmpty)
    }

    @Test func fitLawPlanAndPage() throws {
      let folder = NSTemporaryDirectory() + "scaling-" + UUID().uuidString
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let law = folder + "/law.json"
      let fit = try Tool.run([
        "scaling", "fit", table, "--drop-highest", "5", "--bootstrap", "100", "--output", law, "--hold-out", "0",
      ])
      #expect(
        fit.status == 0 && fit.output.contains("240 runs") && fit.output.contains("4500 starts"), "\(fit.summary)")
      let plan = try Tool.run(["scaling", "plan", "--law", law, "--compute", "1e25"])
      #expect(plan.status == 0 && plan.output.contains("(95 %:"), "\(plan.summary)")
      #expect(plan.errors.contains("the 95 % interval of the loss is"), "\(plan.summary)")
      let page = folder + "/page.html"
      let show = try Tool.run(["scaling", "show", "--law", "kaplan", "--output", page])
      #expect(show.status == 0 && show.output == page + "\n", "\(show.summary)")
      #expect(try String(contentsOfFile: page, encoding: .utf8).contains("Porian"))
    }

    @Test func mistakesAreNamed() throws {
      let path = NSTemporaryDirectory() + "runs-\(UUID().uuidString).csv"
      defer { try? FileManager.default.removeItem(atPath: path) }
      try "N,D,loss\n1e8,1e9,3\n1e8,0,3\n".write(toFile: path, atomically: true, encoding: .utf8)
      let zero = try Tool.run(["scaling", "fit", path])
      #expect(zero.status == 1 && zero.errors.contains("line 3: D is 0.0"), "\(zero.summary)")
      try "N,D,loss\n1e8,1e9,3\n".write(toFile: path, atomically: true, encoding: .utf8)
      let few = try Tool.run(["scaling", "fit", path])
      #expect(few.status == 1 && few.errors.contains("1 points are too few"), "\(few.summary)")
      for (arguments, words) in [
        (["--compute", "1e21", "--days", "3"], "one budget"), (["--days", "3"], "require --hardware"),
        (["--hardware", "H100", "--cost", "5"], "--price"), (["--hardware", "H99", "--days", "1"], "unknown hardware"),
        (["--compute", "-1"], "--compute"), (["--compute", "1e21", "--law", "x"], "neither a file nor"),
        (["--compute", "1e21", "--utilization", "2"], "--utilization"),
      ] {
        let result = try Tool.run(["scaling", "plan"] + arguments)
        #expect(result.status == 64 && result.errors.contains(words), "\(arguments) \(result.summary)")
      }
    }
  }
}
