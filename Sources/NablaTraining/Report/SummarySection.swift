import NablaFormats

/// The head of the page: what was run, how it went, and what to do with it next.
func summarySection(_ source: ReportSource) -> ReportSection? {
  let facts = summaryFacts(source).map { name, value, remark in
    let small = remark.map { "<small>\(escapedHTML($0))</small>" } ?? ""
    return "<div><dt>\(escapedHTML(name))</dt><dd>\(escapedHTML(value))\(small)</dd></div>"
  }
  let model = modelLine(source).map { "<p class=\"lead\">\(escapedHTML($0))</p>" } ?? ""
  let data = dataLine(source).map { "<p class=\"lead\">Trained on \(escapedHTML($0))</p>" } ?? ""
  let commands = nextCommands(source).map { purpose, command in
    "<dt>\(escapedHTML(purpose))</dt><dd><code>\(escapedHTML(command))</code></dd>"
  }
  return ReportSection(
    id: "summary",
    html: """
      <p class="command">∇ nabla \(escapedHTML(source.command))</p>
      <h1>\(escapedHTML(source.name))</h1>
      \(model)
      \(data)
      <dl class="facts">\(facts.joined())</dl>
      <dl class="commands">\(commands.joined())</dl>
      """)
}

private func summaryFacts(_ source: ReportSource) -> [(name: String, value: String, remark: String?)] {
  let metrics = source.metrics
  let count = { (value: Double) in scaled(value, ["", " k", " M", " G", " T"]) }
  var facts: [(name: String, value: String, remark: String?)] = []
  let add = { (name: String, value: String?, remark: String?) in
    if let value { facts.append((name, value, remark)) }
  }

  add("Parameters", source.setting("parameter_count", "parameters")?.double.map(count), nil)
  let finalLoss = metrics["loss"].smoothed(span: 10).last
  add(
    "Training loss", finalLoss.map { significant($0.value, digits: 4) }, finalLoss.map { "at step \(grouped($0.step))" }
  )
  let finalReturn = metrics[returnMetric].last
  add(
    "Return", finalReturn.map { significant($0.value, digits: 4) }, "mean of the last 100 episodes")
  add("Environment steps", finalReturn.map { count($0.step) }, nil)
  add("Episodes", metrics.last("charts/episodes").map(count), nil)
  let best = metrics.minimum("validation_loss")
  add("Best validation loss", best.map { significant($0.value, digits: 4) }, best.map { "at step \(grouped($0.step))" })
  let bits = metrics.minimum("validation_bits_per_byte")
  add("Best bits per byte", bits.map { significant($0.value, digits: 4) }, bits.map { "at step \(grouped($0.step))" })
  add("Tokens seen", metrics.maximum("tokens").map(count), nil)
  add("Duration", trainingSeconds(metrics).map(duration), nil)
  add("Throughput", median(metrics["tokens_per_second"]).map { "\(count($0)) tok/s" }, "median")
  add("Throughput", median(metrics["charts/SPS"]).map { "\(count($0)) steps/s" }, "median")
  add("Peak memory", metrics.maximum("memory_bytes").map { scaled($0, [" B", " kB", " MB", " GB", " TB"]) }, nil)
  if !metrics.skips.isEmpty { add("Skipped steps", "\(metrics.skips.count)", nil) }
  return facts
}

/// By the run's own clock, else between its first and last record.
private func trainingSeconds(_ metrics: RunMetrics) -> Double? {
  if let seconds = metrics.maximum("seconds") ?? metrics.maximum("charts/seconds") { return seconds }
  guard let first = metrics["time"].first, let last = metrics["time"].last, last.value > first.value else { return nil }
  return last.value - first.value
}

private func median(_ points: [RunMetrics.Point]) -> Double? {
  let values = points.map(\.value).sorted()
  return values.isEmpty ? nil : (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
}

/// "Preset small: 6 layers, width 384, 6 heads, context 256, vocabulary 256."
private func modelLine(_ source: ReportSource) -> String? {
  let number = { (value: JSONValue?) in value?.double.map(grouped) }
  let parts = [
    number(source.setting("layers", "layer_count", "num_hidden_layers", "n_layer")).map { "\($0) layers" },
    number(source.setting("width", "hidden_size", "n_embd", "d_model")).map { "width \($0)" },
    number(source.setting("heads", "head_count", "num_attention_heads", "n_head")).map { "\($0) heads" },
    number(source.setting("context", "context_length", "max_position_embeddings", "n_positions")).map {
      "context \($0)"
    },
    number(source.setting("vocabulary", "vocabulary_size", "vocab_size")).map { "vocabulary \($0)" },
  ].compactMap { $0 }
  let shape = parts.joined(separator: ", ")
  let preset = source.setting("preset")?.string
  if let environment = source.configuration["environment"]?.string {
    let algorithm = source.configuration["algorithm"]?.string
    let count = number(source.setting("environment_count")).map { "\($0) environments" }
    return ([environment, algorithm, count].compactMap { $0 }).joined(separator: ", ")
  }
  switch (preset, shape.isEmpty) {
  case (let preset?, false): return "Preset \(preset): \(shape)"
  case (let preset?, true): return "Preset \(preset)"
  case (nil, false): return shape
  case (nil, true): return nil
  }
}

/// "corpus.txt and 3 more: 1.12 MB, 1.12 M tokens".
private func dataLine(_ source: ReportSource) -> String? {
  let data = source.configuration["data"]
  let paths = data?["paths"]?.array?.compactMap(\.string) ?? [data?["path"]?.string ?? data?.string].compactMap { $0 }
  guard let first = paths.first else { return nil }
  let name = first.split(separator: "/").last.map(String.init) ?? first
  let files = paths.count > 1 ? "\(name) and \(paths.count - 1) more" : name
  let sizes = [
    data?["bytes"]?.double.map { scaled($0, [" B", " kB", " MB", " GB", " TB"]) },
    data?["tokens"]?.double.map { "\(scaled($0, ["", " k", " M", " G", " T"])) tokens" },
  ].compactMap { $0 }
  return sizes.isEmpty ? files : "\(files): \(sizes.joined(separator: ", "))"
}

private func nextCommands(_ source: ReportSource) -> [(purpose: String, command: String)] {
  let path = shellQuoted(source.path)
  let makesText = ["pretrain", "sft", "dpo", "grpo", "rlhf"].contains(source.command)
  if source.command == "rl" {
    let isStudy = !source.seedGroups.isEmpty
    return (isStudy ? [] : [("Evaluate", "nabla rl evaluate \(path)")]) + [
      ("Continue", "nabla rl train --resume \(path)"), ("Rebuild this page", "nabla report \(path)"),
    ]
  }
  let command = source.command == "diffusion" ? "diffusion train" : source.command
  return (makesText ? [("Generate", "nabla generate \(path) --prompt \"…\"")] : []) + [
    ("Continue", "nabla \(command) --resume \(path)"), ("Rebuild this page", "nabla report \(path)"),
  ]
}

/// A whole number with commas, 12,345; any other with four digits.
func grouped(_ value: Double) -> String {
  guard let whole = Int(exactly: value) else { return significant(value, digits: 4) }
  var text = ""
  for (index, digit) in String(whole.magnitude).reversed().enumerated() {
    if index > 0, index % 3 == 0 { text.append(",") }
    text.append(digit)
  }
  return (whole < 0 ? "-" : "") + String(text.reversed())
}
