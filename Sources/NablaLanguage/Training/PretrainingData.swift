import NablaFormats
import NablaNN
import NablaText

/// The text of a run, tokenized and split.
struct PretrainingData {
  let tokenizer: any Tokenizer
  let training: TokenDataset
  let validation: TokenDataset
  let description: Description

  /// What a run records of its corpus, to recognize it.
  struct Description: Codable, Sendable {
    var paths: [String]
    /// Of names and contents.
    var hash: String
    var documents: Int
    var bytes: Int
    var tokens: Int
    var tokenizer: TokenizerKind
  }

  /// "1,115,394 bytes in 1 file, …".
  var summary: String {
    let d = description
    return "\(grouped(d.bytes)) bytes in \(d.documents) \(d.documents == 1 ? "file" : "files"), \(grouped(d.tokens)) "
      + "tokens; \(grouped(training.count)) to train on, \(grouped(validation.count)) to validate"
  }

  /// - Parameters:
  ///   - trained: an existing tokenizer; nil trains one of `kind`, with `vocabularySize` for BPE.
  ///   - message: called with messages on progress.
  init(
    paths: [String], kind: TokenizerKind, trained: (any Tokenizer)? = nil, vocabularySize: Int, context: Int,
    validationFraction: Double, message: (String) throws -> Void
  ) throws {
    let corpus = try TextCorpus.read(paths)
    if let skipped = corpus.skippedSummary { try message(skipped) }
    if let trained {
      tokenizer = trained
    } else {
      switch kind {
      case .byte: tokenizer = ByteTokenizer()
      case .char: tokenizer = try CharacterTokenizer(corpus: corpus.documents.lazy.map(\.text))
      case .bpe:
        try message("training a BPE vocabulary of \(vocabularySize) tokens")
        tokenizer = try BPETrainer(vocabularySize: vocabularySize).train(corpus.documents.lazy.map(\.text))
      }
    }
    let tokens = try corpus.encode(with: tokenizer)
    let dataset = TokenDataset(tokens, vocabularySize: tokenizer.vocabularySize)
    (training, validation) = dataset.split(validationFraction: validationFraction)
    guard training.count > context else {
      throw PretrainingError.corpusTooShort(
        tokens: tokens.count, training: training.count, context: context)
    }
    description = Description(
      paths: paths.map(absolutePath), hash: corpus.contentHash(), documents: corpus.documents.count,
      bytes: corpus.byteCount,
      tokens: tokens.count, tokenizer: kind)
  }
}
