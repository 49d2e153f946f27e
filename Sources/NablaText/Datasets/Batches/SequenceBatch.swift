import NablaTensor

/// Sequences in rows, as input to a model. Shapes: B rows, T tokens per row.
public struct SequenceBatch: Sendable {
  /// The location of one sequence.
  public struct Span: Sendable, Equatable {
    public var row: Int
    /// Its columns in the row.
    public var columns: Range<Int>
    /// The index of the sequence in input order, row by row.
    public var sequence: Int
  }

  /// [B, T] int32; 0 where a row is padded.
  public let tokens: Tensor
  /// [B, T] int32: the token to predict at each position, -100 (``TokenBatch/ignoredTarget``) where the loss ignores
  /// it.
  public let targets: Tensor
  /// [B, T] int32: the index of the sequence in its row, from 0. A token attends only to its own segment; each
  /// padding position is a segment by itself.
  public let segments: Tensor
  /// [B, T] int32: the position of each token in its sequence, from 0.
  public let positions: Tensor
  /// Every input sequence, in order.
  public let spans: [Span]
  /// The number of targets that are not ignored.
  public let targetCount: Int
  /// The number of positions that hold a token; the others are padding.
  public let tokenCount: Int

  public var rowCount: Int { tokens.shape[0] }
  public var width: Int { tokens.shape[1] }

  /// - Parameters:
  ///   - rows: The sequences of each row; no sequence is empty.
  ///   - keepsLastToken: Whether a sequence's last token is an input. It predicts nothing, so only models that
  ///     read something else from it (a reward) need it.
  ///   - widthMultiple: T is rounded up to a multiple of this, so that there are fewer shapes.
  public init(_ rows: [[EncodedExample]], keepsLastToken: Bool = false, widthMultiple: Int = 1) {
    let dropped = keepsLastToken ? 0 : 1
    func length(_ example: EncodedExample) -> Int { max(example.tokens.count - dropped, 1) }
    let longest = rows.map { $0.reduce(0) { $0 + length($1) } }.max() ?? 0
    let width = (max(longest, 1) + widthMultiple - 1) / widthMultiple * widthMultiple
    let size = rows.count * width
    var tokens = [Int32](repeating: 0, count: size)
    var targets = [Int32](repeating: TokenBatch.ignoredTarget, count: size)
    var segments = [Int32](repeating: 0, count: size)
    var positions = [Int32](repeating: 0, count: size)
    var spans: [Span] = []
    var (targetCount, tokenCount) = (0, 0)
    for (row, examples) in rows.enumerated() {
      var column = 0
      for (segment, example) in examples.enumerated() {
        precondition(!example.tokens.isEmpty, "SequenceBatch: sequence \(segment) of row \(row) is empty")
        let base = row * width + column
        for place in 0..<length(example) {
          tokens[base + place] = example.tokens[place]
          segments[base + place] = Int32(segment)
          positions[base + place] = Int32(place)
        }
        // The token before a learned one predicts it.
        for range in example.trained {
          for place in range { targets[base + place - 1] = example.tokens[place] }
          targetCount += range.count
        }
        spans.append(Span(row: row, columns: column..<(column + length(example)), sequence: spans.count))
        column += length(example)
      }
      tokenCount += column
      for (place, index) in ((row * width + column)..<((row + 1) * width)).enumerated() {
        segments[index] = Int32(examples.count + place)
      }
    }
    self.tokens = Tensor(tokens, [rows.count, width])
    self.targets = Tensor(targets, [rows.count, width])
    self.segments = Tensor(segments, [rows.count, width])
    self.positions = Tensor(positions, [rows.count, width])
    (self.spans, self.targetCount, self.tokenCount) = (spans, targetCount, tokenCount)
  }
}
