import FoundationEssentials
import NablaFormats
import NablaReport
import NablaTraining
import Testing

@Suite struct ReportTests {
  private func page(_ run: RunFolder) throws -> String {
    try ReportPage(of: run).html(chartJS: "/* Chart.js */")
  }

  private func createRun(
    _ folder: String, command: String = "pretrain", _ configuration: some Encodable = RunConfiguration()
  ) throws -> RunFolder {
    try RunFolder.create(at: "\(folder)/run", command: command, configuration: configuration)
  }

  private func sections(_ page: String) -> [String] {
    page.split(separator: "<section id=\"").dropFirst().map { String($0.prefix { $0 != "\"" }) }
  }

  /// The datasets of the chart with this id.
  private func datasets(_ chart: String, in page: String) throws -> [JSONValue] {
    let charts = try #require(try island("curves-data", in: page)?.array)
    let found = charts.first { $0["id"]?.string == chart }
    return found?["configuration"]?["data"]?["datasets"]?.array ?? []
  }

  private func points(_ dataset: JSONValue) -> [(x: Double, y: Double)] {
    dataset["data"]?.array?.map { ($0["x"]!.double!, $0["y"]!.double!) } ?? []
  }

  @Test func writesOnePageThatNeedsNothingElse() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      try writeMetrics(of: run, steps: 200)
      try run.writeSample(RunSample(text: "func"), step: 100)
      try ReportPage(of: run).write(to: run)
      let page = try readText(run.reportPath)
      #expect(page.hasPrefix("<!DOCTYPE html>"))
      #expect(sections(page) == ["summary", "curves", "samples", "configuration"])
      #expect(page.contains("default-src 'none'") && page.contains("Chart.js v"))
      #expect(!page.contains(" src=") && !page.contains("href=\"http") && !page.contains("@import"))
      #expect(try island("curves-data", in: page) != nil)
      // Again, over the old one.
      try ReportPage(of: run).write(to: run)
    }
  }

  /// The axis of a value that never changes reaches from 0 to twice the value; others are left to their points.
  @Test func aConstantIsReadable() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      let rates = (1...5).map { #"{"step":\#($0),"learning_rate":0.0003,"loss":\#($0)}"# + "\n" }
      try overwrite(run.metricsPath, Array(rates.joined().utf8))
      let charts = try #require(try island("curves-data", in: try page(run))?.array)
      func axis(_ id: String) -> JSONValue? {
        charts.first { $0["id"]?.string == id }?["configuration"]?["options"]?["scales"]?["y"]
      }
      let constant = try #require(axis("chart-rate"))
      #expect(constant["suggestedMin"]?.double == 0 && abs(constant["suggestedMax"]!.double! - 0.0006) < 1e-12)
      let changing = try #require(axis("chart-loss"))
      #expect(changing["suggestedMin"] == nil && changing["suggestedMax"] == nil)
    }
  }

  /// Each part depends on its own data only.
  @Test(arguments: ["curves", "samples", ""])
  func leavesOutWhatHasNoData(present: String) throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      switch present {
      case "curves": try writeMetrics(of: run, steps: 3)
      case "samples": try run.writeSample(RunSample(text: ""), step: 0)
      default: try overwrite(run.metricsPath, [])
      }
      let expected = ["summary", present, "configuration"].filter { !$0.isEmpty }
      let page = try page(run)
      #expect(sections(page) == expected)
      #expect(page.contains("/* Chart.js */") == (present == "curves"))
    }
  }

  @Test func emptyConfigurationHasNoTable() throws {
    try withTemporaryFolder { folder in
      let page = try page(try createRun(folder, [String: Int]()))
      #expect(sections(page) == ["summary"])
    }
  }

  @Test func summarizesTheRun() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      try writeMetrics(of: run, steps: 2_000)
      try RunSummary(
        model: "3 layers, hidden size 96", data: RunSummary.names(of: ["a/sources.txt", "b.txt"]),
        parameterCount: 10_800_000, trainedParameterCount: 270_336
      ).write(to: run)
      let page = try page(run)
      for text in [
        "<dt>Parameters</dt><dd>10.8 M<small>270 k trainable</small></dd>", "<dt>Tokens seen</dt><dd>4.10 M</dd>",
        "<dt>Duration</dt><dd>7:35</dd>",
        "<dt>Peak memory</dt><dd>442 MB</dd>", "<dt>Skipped steps</dt><dd>2</dd>",
        "<p class=\"lead\">3 layers, hidden size 96</p>", "<p class=\"lead\">Trained on sources.txt and 1 more</p>",
        "nabla report \(run.path)",
        "<th scope=\"row\">batchSize</th><td>8</td>",
        "<td>corpus/sources.txt, corpus/documents.txt</td>",
      ] {
        #expect(page.contains(text), "\(text)")
      }
    }
  }

  @Test func otherMetricsHaveTheirOwnCharts() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder, command: "rl", ["gamma": 0.99])
      let log = try MetricsLog(folder: run.path)
      for step in 0..<5 { try log.record(step: step, ["rewards/<mean>": Double(step), "loss": 0.5 - Double(step)]) }
      let page = try page(run)
      let rewards = try #require(try datasets("chart-other-0", in: page).first)
      #expect(points(rewards).map(\.y) == [0, 1, 2, 3, 4])
      #expect(page.contains("rewards/&lt;mean&gt;") && !page.contains("rewards/<mean>"))
      #expect(!page.contains("nabla generate") && !page.contains("cross-entropy"))
      #expect(!page.contains("data-logarithmic=\"chart-loss\""), "negative values have no logarithm")
    }
  }

  @Test func longSeriesKeepTheirExtremes() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      var text = ""
      for step in 1...30_011 {
        let loss = step == 12_345 ? 99 : step == 23_456 ? -7 : 3 + 0.001 * Double(step % 10)
        text += "{\"step\":\(step),\"loss\":\(loss),\"learning_rate\":0.001}\n"
      }
      try overwrite(run.metricsPath, Array(text.utf8))
      let page = try page(run)
      let raw = points(try #require(try datasets("chart-loss", in: page).first))
      #expect(raw.count <= 2_000 && raw.count > 1_900)
      #expect(raw.map(\.x) == raw.map(\.x).sorted())
      #expect(raw.first?.x == 1 && raw.last?.x == 30_011)
      #expect(raw.contains { $0 == (12_345, 99) } && raw.contains { $0 == (23_456, -7) })
      // Every hundredth part of the run still has its lowest and highest value.
      for part in 0..<100 {
        let values = raw.filter { $0.x > Double(part) * 300 && $0.x <= Double(part + 1) * 300 }.map(\.y)
        #expect(values.contains(3) && values.contains(3.009))
      }
      // A level line stays level when smoothed, and a flat one needs few points.
      let rates = points(try #require(try datasets("chart-rate", in: page).first))
      #expect(rates.allSatisfy { $0.y == 0.001 } && rates.count <= 2_000)
    }
  }

  /// Smoothing neither lags nor bends: the trend of a straight line is that line, but for the ends.
  @Test func theTrendDoesNotLag() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      try overwrite(run.metricsPath, Array((1...1_000).map { "{\"step\":\($0),\"loss\":\($0)}\n" }.joined().utf8))
      let lines = try datasets("chart-loss", in: page(run))
      #expect(lines.map { $0["label"]?.string } == ["training", "training, smoothed"])
      let trend = points(lines[1])
      #expect(trend.count == 1_000)
      #expect(trend[100..<900].allSatisfy { abs($0.y - $0.x) < 0.01 })
    }
  }

  @Test func skippedStepsAreMarked() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      let lines = [
        #"{"step":1,"loss":4}"#, #"{"step":2,"loss":null,"skipped":"norm \"inf\" <b>"}"#, #"{"step":3,"loss":4}"#,
        #"{"step":4,"skipped":1}"#, #"{"step":5,"loss":4,"skipped":0}"#,
        #"{"step":6,"loss":null,"skipped":1,"skip_reason":"a spike"}"#, #"{"step":7,"lo"#,
      ]
      try overwrite(run.metricsPath, Array(lines.joined(separator: "\n").utf8))
      let page = try page(run)
      let marks = try #require(try datasets("chart-loss", in: page).last)
      #expect(marks["label"] == "skipped step")
      #expect(page.contains("<li>Step 2: norm &quot;inf&quot; &lt;b&gt;</li><li>Step 4: no reason was recorded</li>"))
      #expect(page.contains("<li>Step 6: a spike</li>"))
      #expect(points(marks).map(\.x) == [2, 4, 6] && points(marks).map(\.y) == [4, 4, 4])
      #expect(
        marks["data"]?.array?.map { $0["note"]?.string } == [#"norm "inf" <b>"#, "no reason was recorded", "a spike"])
    }
  }

  /// A run killed and resumed from a checkpoint writes some steps twice: the second time counts.
  @Test func laterLinesReplaceEarlierOnes() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      let steps = [(1, 5), (2, 4), (3, 3), (2, 7), (3, 8)]
      let lines = steps.map { "{\"step\":\($0.0),\"loss\":\($0.1)}\n" }.joined()
      try overwrite(run.metricsPath, Array(lines.utf8))
      let loss = points(try #require(try datasets("chart-loss", in: page(run)).first))
      #expect(loss.map(\.x) == [1, 2, 3] && loss.map(\.y) == [5, 7, 8])
    }
  }

  @Test func samplesStandInTheOrderOfTheirSteps() throws {
    try withTemporaryFolder { folder in
      let run = try createRun(folder)
      for step in [1_000_000_000, 20, 3] { try run.writeSample(RunSample(text: "text of \(step)"), step: step) }
      try run.writeSample(RunSample(text: String(repeating: "é", count: 20_000)), step: 4)
      try overwrite("\(run.samplesPath)/notes.txt", Array("not a sample".utf8))
      let page = try page(run)
      let steps = page.split(separator: "<li data-step=\"").dropFirst().compactMap { Int($0.prefix { $0 != "\"" }) }
      #expect(steps == [3, 4, 20, 1_000_000_000])
      #expect(page.contains("(its first 20000 bytes)") && !page.contains("not a sample"))
    }
  }

  @Test func saysWhichPackageIsMissing() throws {
    let error = try #require(throws: ReportError.self) { try PageAsset.chartJS(from: ["/nowhere/chart.js"]) }
    #expect(error.description.contains("libjs-chart.js") && error.description.contains("/nowhere/chart.js"))
  }
}
