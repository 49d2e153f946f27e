import NablaTensor
import NablaText

extension TransformerLM {
  /// Data for the report: the attention weights of every head over the beginning of a text, the position table, and what
  /// the model costs.
  ///
  /// - Parameter length: tokens of the text; a layer takes H · length² bytes of the report.
  func analysis(of data: TokenDataset, _ tokenizer: any Tokenizer, length: Int = 48) -> Analysis {
    let count = min(length, data.count, configuration.context)
    let tokens = (0..<count).map { data[$0] }
    let weights = attentionWeights(Tensor(tokens, [1, count])).map { layer in
      (0..<layer.shape[0]).map { layer[$0].array() }
    }
    let table = positionTable()
    let rows = (0..<min(table.shape[0], 256)).map { table[$0].array() }
    let kind: Analysis.Positions.Kind =
      switch configuration.positions {
      case .rotary: .rotary
      case .learned: .learned
      case .sinusoidal: .sinusoidal
      }
    return Analysis(
      text: tokenizer.decode(tokens), tokens: tokens.map(tokenizer.piece), attention: weights,
      positions: Analysis.Positions(kind: kind, table: rows), cost: ModelCost(measuring: self))
  }
}
