import NablaFormats
import NablaReport
import NablaTraining
import Testing

/// Text from outside never becomes markup or script.
@Suite struct ReportEscapingTests {
  static let hostile = [
    "</script><script>alert(1)</script>", "<!--<script>", "\"'><img src=x onerror=alert(1)>", "nul\u{0}bell\u{7}",
    "&lt;b&gt; &amp;", "\u{2028}\u{2029}\u{202E}", "\\u003c\\", "]]>", "</pre></li></dialog></style>",
    String(repeating: "long<", count: 4_000),
  ]

  @Test(arguments: hostile) func holdsHostileText(text: String) throws {
    try withTemporaryFolder { folder in
      var configuration = RunConfiguration()
      configuration.model.preset = text
      configuration.model.note = text
      configuration.data.paths = [text]
      let run = try RunFolder.create(at: "\(folder)/run", command: text, configuration: configuration)
      try run.writeSample(RunSample(text: text), step: 1)
      let lines: [JSONValue] = [
        ["step": 1, "loss": 1], ["step": 2, "loss": .null, "skipped": .string(text)],
        .object(JSONObject([("step", JSONValue.integer(3)), (text, JSONValue.number(1.5))] as [(String, JSONValue)])),
      ]
      try overwrite(run.metricsPath, Array(lines.map { $0.serialized() + "\n" }.joined().utf8))
      let page = try page(of: run, text)
      // Elements are as many as with harmless text, so none of it became one.
      let harmless = try pageWithHarmlessText(in: folder)
      for tag in ["<script", "</script", "<img", "<!--", "<pre", "</pre", "<li", "</li", "</dialog", "</style", "<b>"] {
        #expect(occurrences(of: tag, in: page) == occurrences(of: tag, in: harmless), "\(tag)")
      }
      #expect(!page.utf8.contains(0) && !page.utf8.contains(7))

      // And the data reads back as it was.
      let charts = try #require(try island("curves-data", in: page)?.array)
      let marks = charts[0]["configuration"]?["data"]?["datasets"]?.array?.last?["data"]?.array
      #expect(marks?.first?["note"] == .string(String(text.prefix(200))))
      #expect(charts.contains { $0["configuration"]?["options"]?["scales"]?["y"]?["title"]?["text"] == .string(text) })
    }
  }

  private func page(of run: RunFolder, _ text: String) throws -> String {
    try RunSummary(model: text, data: text).write(to: run)
    let section = ReportSection(id: "more", title: text, equations: [Equation(text, text)])
    return try ReportPage(of: run, adding: [section]).html(chartJS: "")
  }

  private func pageWithHarmlessText(in folder: String) throws -> String {
    let run = try RunFolder.create(at: "\(folder)/other", command: "x", configuration: RunConfiguration())
    try run.writeSample(RunSample(text: "x"), step: 1)
    try overwrite(
      run.metricsPath, Array("{\"step\":1,\"loss\":1}\n{\"step\":2,\"skipped\":\"x\"}\n{\"step\":3,\"x\":1}".utf8))
    return try page(of: run, "x")
  }

  private func occurrences(of text: String, in page: String) -> Int {
    var count = 0
    var rest = page[...]
    while let range = rest.firstRange(of: text) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }

  @Test func escapesHTML() {
    #expect(escapedHTML("a<b>&\"'\n\t") == "a&lt;b&gt;&amp;&quot;&#39;\n\t")
    #expect(escapedHTML("\u{0}\u{1B}\r\u{7F}é") == "␀␛␍\u{FFFD}é")
  }

  /// A shell reads the path in the commands back as it is.
  @Test func quotesPathsForTheShell() throws {
    try withTemporaryFolder { folder in
      let run = try RunFolder.create(at: "\(folder)/it's $HOME", command: "sft", configuration: ["a": 1])
      let page = try page(of: run, "x")
      #expect(page.contains("report &#39;\(folder)/it&#39;\\&#39;&#39;s $HOME&#39;"))
    }
  }
}
