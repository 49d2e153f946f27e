import NablaFormats
import NablaTemplates

/// What a model will see of a dataset, and what would silently go wrong.
///
/// ```swift
/// let audit = DatasetAudit(dataset, encoder)
/// print(audit.text())
/// if !audit.isSound { … }
/// ```
public struct DatasetAudit: Sendable {
  /// A finding about an example, of some ``Kind``.
  public struct Finding: Sendable, Equatable {
    public var kind: Kind
    /// How many examples have it.
    public var count: Int
    /// The first of them, at most ``placesShown``.
    public var places: [DatasetPlace]
    /// What is wrong with the first one, and what to do.
    public var message: String
  }

  public enum Kind: String, Sendable, CaseIterable {
    // Errors, which stop training because it would learn something wrong.
    case cannotEncode = "cannot be encoded"
    case nothingToLearn = "nothing to learn"
    case endNotLearned = "end not learned"
    case doubledBeginning = "doubled beginning"
    case messageLeftOut = "message left out"
    // Warnings.
    case emptyPrompt = "empty prompt"
    case emptyCompletion = "empty completion"
    case emptyMessage = "empty message"
    case equalPair = "chosen equal to rejected"
    case duplicate = "duplicate"
    case controlTokenInText = "control token in the text"
    case changingTemplate = "template shows the date"

    /// Whether training must not start.
    public var isFatal: Bool {
      switch self {
      case .cannotEncode, .nothingToLearn, .endNotLearned, .doubledBeginning, .messageLeftOut: true
      default: false
      }
    }
  }

  /// The distribution of a number over the examples.
  public struct Distribution: Sendable, Equatable {
    public var minimum = 0
    public var median = 0
    public var mean = 0.0
    public var percentile95 = 0
    public var maximum = 0
    public var total = 0

    public init(_ values: [Int]) {
      if values.isEmpty { return }
      let sorted = values.sorted()
      total = sorted.reduce(0, +)
      mean = Double(total) / Double(sorted.count)
      (minimum, maximum) = (sorted[0], sorted[sorted.count - 1])
      median = sorted[(sorted.count - 1) / 2]
      percentile95 = sorted[(sorted.count - 1) * 95 / 100]
    }
  }

  /// A human-readable sequence: segments of text and whether each is learned.
  public struct Sample: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
      public var text: String
      public var isTrained: Bool
      public var tokenCount: Int
    }

    /// `chosen` or `rejected` of a pair, else nil.
    public var name: String?
    public var place: DatasetPlace
    public var parts: [Part]
  }

  public static let placesShown = 5

  public var files: [String]
  public var model: String
  public var exampleCount: Int
  public var shape: DatasetShape?
  public var isConversational: Bool
  public var template: TemplateFacts?
  /// The tokens that begin and end a text, according to the model's files.
  public var beginning: SpecialToken?
  public var end: SpecialToken?
  public var padding: SpecialToken?
  public var maximumLength: Int?
  /// Tokens of each sequence (two for a pair) before truncation.
  public var lengths = Distribution([])
  /// Tokens of each sequence that are learned.
  public var trainedLengths = Distribution([])
  public var truncatedCount = 0
  /// Examples dropped because no learned token is within the maximum length.
  public var droppedCount = 0
  public var samples: [Sample] = []
  public var findings: [Finding] = []

  /// Whether training may start.
  public var isSound: Bool { exampleCount > 0 && droppedCount < exampleCount && !findings.contains { $0.kind.isFatal } }

  /// Reads, encodes and checks every example. It does not throw: errors are among ``findings``.
  public init(_ dataset: Dataset, _ encoder: ExampleEncoder) {
    files = dataset.files
    model = encoder.pretrained.path
    exampleCount = dataset.count
    shape = dataset.shape
    isConversational = dataset.isConversational
    template = isConversational ? TemplateFacts(encoder) : nil
    let special = encoder.tokenizer.specialTokens
    beginning = encoder.pretrained.id(of: "bos_token").flatMap(special.token)
    end = encoder.endOfText.flatMap(special.token)
    padding = encoder.pretrained.id(of: "pad_token").flatMap(special.token)
    maximumLength = encoder.maximumLength

    var checks = ExampleChecks(encoder)
    for example in dataset { checks.check(example) }
    if let template, template.showsDate, encoder.date == nil, let first = dataset.first {
      checks.found(
        .changingTemplate, first.place,
        "the template writes today's date into every example; fix the date, so that runs are reproducible")
    }
    lengths = Distribution(checks.lengths)
    trainedLengths = Distribution(checks.trainedLengths)
    (truncatedCount, droppedCount) = (checks.truncatedCount, checks.droppedCount)
    samples = checks.samples
    findings = Kind.allCases.compactMap { checks.findings[$0] }
  }
}

extension DatasetAudit {
  /// Properties of a chat template.
  public struct TemplateFacts: Sendable, Equatable {
    /// SHA-256 of its source, as hexadecimal digits.
    public var hash: String
    /// Whether it marks the assistant's turns; otherwise they are found by rendering the messages one after the other.
    public var marksGeneration: Bool
    /// The default system prompt for a conversation without one; nil if there is none.
    public var defaultSystemPrompt: String?
    /// Whether it can write today's date.
    public var showsDate: Bool

    init?(_ encoder: ExampleEncoder) {
      guard let template = encoder.template else { return nil }
      hash = SHA256.hexadecimal(of: Array(template.source.utf8))
      marksGeneration = template.source.utf8.containsWord("endgeneration")
      showsDate = template.source.utf8.containsWord("strftime_now")
      defaultSystemPrompt = Self.defaultSystemPrompt(template, encoder)
    }

    /// Found by comparing a conversation without a system message and one with.
    private static func defaultSystemPrompt(_ template: ChatTemplate, _ encoder: ExampleEncoder) -> String? {
      let (system, user) = ("⟨system⟩", "⟨user⟩")
      func beforeUser(_ messages: [ChatMessage]) -> [UInt8]? {
        let text = try? template.render(
          messages, specialTokens: encoder.pretrained.roles, extra: encoder.templateVariables, date: encoder.date ?? 0)
        guard let bytes = text.map({ Array($0.utf8) }) else { return nil }
        return UTF8Text.firstIndex(of: Array(user.utf8), in: bytes).map { Array(bytes[..<$0]) }
      }
      let question = ChatMessage(role: "user", content: user)
      guard let without = beforeUser([question]),
        let with = beforeUser([ChatMessage(role: "system", content: system), question]),
        let place = UTF8Text.firstIndex(of: Array(system.utf8), in: with)
      else { return nil }
      let (head, tail) = (with[..<place], with[(place + system.utf8.count)...])
      guard without.count > head.count + tail.count, without.starts(with: head),
        without.suffix(tail.count).elementsEqual(tail)
      else { return nil }
      return String(decoding: without[head.count..<(without.count - tail.count)], as: UTF8.self)
    }
  }
}

extension String.UTF8View {
  fileprivate func containsWord(_ word: String) -> Bool {
    UTF8Text.firstIndex(of: Array(word.utf8), in: Array(self)) != nil
  }
}
