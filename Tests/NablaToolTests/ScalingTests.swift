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
        fit.status == 0 && fit.output.contains("240 runs") && fit.output.contains("4,500 starts"), "\(fit.summary)")
      let plan = try Tool.run(["scaling", "plan", "--law", law, "--compute", "1e25"])
      #expect(plan.status == 0 && plan.output.contains("(95 %:"), "\(plan.summary)")
      #expect(plan.errors.contains("the 95 % interval of the loss is"), "\(plan.summary)")
      let page = folder + "/page.html"
      let show = try Tool.run(["scaling", "show", "--law", "kaplan", "--output", page])
      #expect(show.status == 0 && show.output == page + "\n", "\(show.summary)")
      #expect(try String(contentsOfFile: page, encoding: .utf8).contains("Porian"))
    }

    /// Losses that rise with the tokens: the fit says so, and writes no law that a plan would reject.
    @Test func fitWithoutAnOptimum() throws {
      try withFolder { folder in
        let law = Chinchilla(E: 2, A: 400, B: 0.05, alpha: 0.34, beta: -0.1)
        var text = "N,D,loss\n"
        for n in [1e7, 1e8, 1e9] {
          for d in [1e9, 1e10, 1e11] { text += "\(n),\(d),\(law.loss(parameters: n, tokens: d))\n" }
        }
        let (table, output) = (folder + "/runs.csv", folder + "/law.json")
        try write(Array(text.utf8), to: table)
        let fit = ["scaling", "fit", table, "--bootstrap", "100"]
        let plain = try Tool.run(fit)
        #expect(plain.status == 0 && plain.output.contains("there is no optimum"), "\(plain.summary)")
        #expect(!plain.output.contains("nan"), "\(plain.summary)")
        let saved = try Tool.run(fit + ["--output", output])
        #expect(saved.status == 1 && saved.errors.contains("there is no optimum"), "\(saved.summary)")
        #expect(!FileManager.default.fileExists(atPath: output))
        let page = try Tool.run(["scaling", "show", table, "--output", folder + "/page.html"])
        #expect(page.status == 1 && page.errors.contains("there is no optimum"), "\(page.summary)")
      }
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
        (["--compute", "1e21", "--price", "2.5"], "--price requires --hardware"),
        (["--compute", "1e21", "--utilization", "0.4"], "--utilization requires --hardware"),
      ] {
        let result = try Tool.run(["scaling", "plan"] + arguments)
        #expect(result.status == 64 && result.errors.contains(words), "\(arguments) \(result.summary)")
      }
      for flag in ["--drop-highest", "--bootstrap", "--seed"] {
        let page = NSTemporaryDirectory() + "page-\(UUID().uuidString).html"
        let result = try Tool.run(["scaling", "show", "--law", "besiroglu", flag, "20", "--output", page])
        #expect(
          result.status == 64 && result.errors.contains("\(flag) applies to a table"), "\(flag) \(result.summary)")
      }
    }

    /// Stopped by a signal, and killed in the middle of a run: it continues both times.
    @Test func sweepIsContinuedAfterAKill() throws {
      let base = NSTemporaryDirectory() + "sweep-" + UUID().uuidString
      try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: base) }
      let (text, folder) = (base + "/text.txt", base + "/sweep")
      try (0..<4_000).map { "the law of \($0 * 7919 % 101) falls\n" }.joined()
        .write(toFile: text, atomically: true, encoding: .utf8)
      let arguments = [
        "scaling", "sweep", text, "--budget", "10s", "--shapes", "1x16,1x32,2x32,2x48", "--budgets", "3", "--factor",
        "1.5", "--leap", "5", "--context", "32", "--batch-size", "8", "--learning-rate", "5e-4", "--output", folder,
      ]
      let planned = try Tool.Child([Tool.path] + arguments, environment: [:], input: nil)
      try planned.wait { $0.errors.contains("run 1/13") || $0.errors.contains("runs/01:") }
      planned.signal(SIGTERM)
      let stopped = try planned.finish()
      #expect(stopped.status == 0 && stopped.errors.contains("scaling sweep --resume"), "\(stopped.summary)")
      // The plan depends on the speed of the machine; this one does not.
      var setup = try RunFolder.open(folder).configuration(as: Sweep.Setup.self)
      for index in setup.plan.runs.indices {
        setup.plan.runs[index].tokens = 256 * [20, 40, 80][index / 4]
        setup.plan.runs[index].learningRate = 2e-3
      }
      (setup.plan.test.tokens, setup.plan.test.learningRate) = (256 * 160, 2e-3)
      let description: JSONValue = [
        "formatVersion": .integer(1), "command": .string(Sweep.command), "configuration": encoded(setup),
      ]
      try FileManager.default.removeItem(atPath: folder + "/runs")
      try AtomicFile.write(description.serialized(), to: folder + "/config.json")

      let child = try Tool.Child([Tool.path, "scaling", "sweep", "--resume", folder], environment: [:], input: nil)
      try child.wait { $0.errors.contains("runs/03:") }
      child.signal(SIGKILL)
      _ = try child.finish()
      #expect(!FileManager.default.fileExists(atPath: folder + "/prediction.json"))
      let early = try Tool.run(["report", folder])
      #expect(early.status == 1 && early.errors.contains("is not complete"), "\(early.summary)")
      #expect(!FileManager.default.fileExists(atPath: folder + "/report.html"))
      let done = try JSONValue(contentsOfFile: folder + "/config.json")
      #expect(done["command"]?.string == "sweep")

      let result = try Tool.run(["scaling", "sweep", "--resume", folder, "--json"])
      #expect(result.status == 0, "\(result.summary)")
      let object = try JSONValue(parsing: result.output)
      #expect(object["runs"]?.integer == 12 && object["loss"]?.double ?? 0 > 0)
      #expect(result.errors.contains("predicted for") && result.errors.contains("test: "))
      // What it wrote can be read by the other commands, and the page be rebuilt.
      let page = try readText(folder + "/report.html")
      let report = try Tool.run(["report", folder])
      #expect(report.status == 0 && report.output == folder + "/report.html\n", "\(report.summary)")
      #expect(try readText(folder + "/report.html") == page && page.contains("Before the last run was trained"))
      let fit = try Tool.run(["scaling", "fit", folder + "/points.csv", "--bootstrap", "100", "--hold-out", "1"])
      #expect(fit.status == 0 && fit.output.contains("13 runs"), "\(fit.summary)")
      let plan = try Tool.run([
        "scaling", "plan", "--law", folder + "/law.json", "--compute", "1e12", "--vocabulary", "256",
      ])
      #expect(plan.output.contains("(95 %:"), "\(plan.summary)")

      for (arguments, status, words) in [
        (["--resume", folder, "--budget", "1m"], 64, "leave out --budget"),
        (["--resume", base], 1, "not a training run"),
        ([text], 64, "give a --budget"), (["--budget", "1m"], 64, "give files or folders"),
        ([text, "--budget", "soon"], 64, "--budget"), ([text, "--budget", "1m", "--leap", "50"], 64, "--leap"),
        ([text, "--budget", "1m", "--shapes", "1x16,2x17"], 64, "--shapes"),
        ([text, "--budget", "0.001s"], 1, "give a larger --budget"),
        ([base + "/none.txt", "--budget", "1m"], 1, "no such file"),
      ] {
        let result = try Tool.run(["scaling", "sweep"] + arguments)
        #expect(result.status == status && result.errors.contains(words), "\(arguments) \(result.summary)")
      }
      try "other".write(toFile: text, atomically: true, encoding: .utf8)
      let other = try Tool.run(["scaling", "sweep", "--resume", folder])
      #expect(
        other.status == 1 && other.errors.contains("not the text that this sweep started with"), "\(other.summary)")
    }
  }
}
