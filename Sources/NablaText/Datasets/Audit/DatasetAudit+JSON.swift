import NablaFormats

extension DatasetAudit {
  /// The audit in machine-readable form.
  public var json: JSONValue {
    func token(_ token: SpecialToken?) -> JSONValue {
      token.map { .object(JSONObject([("id", .integer(Int($0.id))), ("content", .string($0.content))])) } ?? .null
    }
    var object = JSONObject([
      ("sound", .bool(isSound)), ("files", .array(files.map { .string($0) })), ("model", .string(model)),
      ("examples", .integer(exampleCount)), ("shape", shape.map { .string($0.rawValue) } ?? .null),
      ("conversational", .bool(isConversational)), ("bos_token", token(beginning)), ("eos_token", token(end)),
      ("pad_token", token(padding)), ("max_length", maximumLength.map { .integer($0) } ?? .null),
      ("truncated", .integer(truncatedCount)), ("dropped", .integer(droppedCount)),
      ("tokens", lengths.json), ("trained_tokens", trainedLengths.json),
    ])
    if let template {
      object["template"] = .object(
        JSONObject([
          ("sha256", .string(template.hash)), ("marks_generation", .bool(template.marksGeneration)),
          ("default_system_prompt", template.defaultSystemPrompt.map { .string($0) } ?? .null),
          ("shows_date", .bool(template.showsDate)),
        ]))
    }
    object["samples"] = .array(
      samples.map { sample in
        .object(
          JSONObject([
            ("name", sample.name.map { .string($0) } ?? .null), ("place", sample.place.json),
            ("parts", .array(sample.parts.map(\.json))),
          ]))
      })
    object["findings"] = .array(
      findings.map { finding in
        .object(
          JSONObject([
            ("kind", .string(finding.kind.rawValue)), ("fatal", .bool(finding.kind.isFatal)),
            ("count", .integer(finding.count)), ("message", .string(finding.message)),
            ("places", .array(finding.places.map(\.json))),
          ]))
      })
    return .object(object)
  }
}

extension DatasetPlace {
  fileprivate var json: JSONValue { .object(JSONObject([("file", .string(file)), ("line", .integer(line))])) }
}

extension DatasetAudit.Distribution {
  fileprivate var json: JSONValue {
    .object(
      JSONObject([
        ("minimum", .integer(minimum)), ("median", .integer(median)), ("mean", .number(mean)),
        ("percentile_95", .integer(percentile95)), ("maximum", .integer(maximum)), ("total", .integer(total)),
      ]))
  }
}

extension DatasetAudit.Sample.Part {
  fileprivate var json: JSONValue {
    .object(
      JSONObject([
        ("text", .string(text)), ("trained", .bool(isTrained)), ("tokens", .integer(tokenCount)),
      ]))
  }
}
