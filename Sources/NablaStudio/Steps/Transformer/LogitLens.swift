import Glibc
import NablaTensor

extension TransformerStep {
  /// What the stream says after each layer, read by the output layer as if it were the last: the logit lens
  /// (nostalgebraist 2020).
  struct Lens: Encodable {
    var tokens: [String]
    var cut: Int
    /// The likeliest next token and its probability after each layer, at each position: [layers + 1][T].
    var guesses: [[String]]
    var probabilities: [[Double]]
    /// At the chosen position: the five likeliest in the end, and the probability of each after each layer.
    var finalists: [String]
    var rises: [[Double]]
    /// At the chosen position, after each layer: the length of the stream, and what attention and feed-forward together
    /// added in this layer (one fewer than the lengths).
    var lengths, added: [Double]
  }

  static let lens = Computation.answer("lens") { query, studio in
    try studio.model.use { loaded in
      let (ids, pieces, cut) = try AttentionStep.read(query, loaded, default: sentence)
      let count = ids.count
      let position = min(try query.integer("position", in: 0...47, default: 47), count - 1)
      let stream = loaded.stream(of: ids)
      let vocabulary = loaded.facts.vocabulary
      var (guesses, probabilities) = ([[String]](), [[Double]]())
      var atPosition: [[Float]] = []
      for x in stream {
        let logits = loaded.model.logits(loaded.model.backbone.normalizedForOutput(x)).array()
        let rows = (0..<count).map { logits[$0 * vocabulary..<($0 + 1) * vocabulary] }
        let best = rows.map { row in row.indices.max { row[$0] < row[$1] }! - row.startIndex }
        guesses.append(best.map { loaded.tokenizer.piece(Int32($0)) })
        probabilities.append(zip(rows, best).map { row, token in probability(of: token, row) })
        atPosition.append(Array(rows[position]))
      }
      let end = atPosition.last!
      let finalists = end.indices.sorted { end[$0] > end[$1] }.prefix(5)
      let vectors = stream.map { x -> [Float] in
        let width = x.shape[2]
        return Array(x.array()[position * width..<(position + 1) * width])
      }
      return Lens(
        tokens: pieces, cut: cut, guesses: guesses, probabilities: probabilities,
        finalists: finalists.map { loaded.tokenizer.piece(Int32($0)) },
        rises: finalists.map { token in atPosition.map { probability(of: token, $0[...]) } },
        lengths: vectors.map(length),
        added: zip(vectors, vectors.dropFirst()).map { length(zip($1, $0).map { $0 - $1 }) })
    }
  }

  /// exp(l − m)/Σ exp(l − m).
  private static func probability(of token: Int, _ logits: ArraySlice<Float>) -> Double {
    let largest = logits.max()!
    let sum = logits.reduce(0.0) { $0 + Double(expf($1 - largest)) }
    return Double(expf(logits[logits.startIndex + token] - largest)) / sum
  }

  private static func length(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
}
