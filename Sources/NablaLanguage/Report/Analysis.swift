import FoundationEssentials
import Glibc
import NablaFormats

/// What a model does with one line of text: the attention weights of every layer and head, and
/// its position table. Training writes it into the run folder as `analysis.json`; the report draws it.
///
/// A layer takes H·T² bytes, so a line of about 64 to 128 tokens makes a page of moderate size.
public struct Analysis: Codable, Sendable, Equatable {
  /// The text and its T tokens.
  public var text: String
  public var tokens: [String]
  /// One for each layer.
  public var attention: [Layer]
  /// Whether no token attends to a later one. Without it, entropies compare to attention over all tokens.
  public var isCausal: Bool
  public var positions: Positions?
  /// What the model costs on the computer that trained it.
  public var cost: ModelCost?

  enum CodingKeys: String, CodingKey {
    case text, tokens, attention, positions, cost
    case isCausal = "causal"
  }

  public struct Layer: Codable, Sendable, Equatable {
    public var heads: [Head]
    /// The mean entropy of its heads with the logits divided by each of ``Analysis/temperatures``; nil in older files and
    /// when a weight is not finite.
    public var temperatureEntropies: [Double]?
  }

  public struct Head: Codable, Sendable, Equatable {
    /// The entropy of a row of weights in nats, −Σ w ln w, averaged over rows; nil when a weight is not finite.
    public var entropy: Double?
    /// What tells heads apart; nil in older files, and when a weight is not finite.
    public var focus: HeadFocus?
    /// [T, T] rounded to round(255 w), row = query, column = key; base64 in JSON.
    public var weights: Data
  }

  /// A model's positional encoding as a table.
  public struct Positions: Codable, Sendable, Equatable {
    public enum Kind: String, Codable, Sendable {
      /// A trained vector for each position.
      case learned
      /// The fixed sines and cosines (Vaswani et al. 2017, section 3.5).
      case sinusoidal
      /// The cosines of the angles by which queries and keys are rotated (Su et al. 2021).
      case rotary
    }

    public var kind: Kind
    /// Positions.
    public var rows: Int
    /// Dimensions.
    public var columns: Int
    /// The values of byte 0 and byte 255.
    public var minimum: Double
    public var maximum: Double
    /// [rows, columns], base64 in JSON.
    public var values: Data
  }

  /// - Parameters:
  ///   - text: The input.
  ///   - tokens: Its T tokens.
  ///   - attention: For each layer and head the weights [T·T], row = query.
  ///   - isCausal: Whether the mask hides later tokens.
  ///   - positions: What the model knows of positions.
  ///   - cost: What the model costs.
  public init(
    text: String, tokens: [String], attention: [[[Float]]], isCausal: Bool = true, positions: Positions? = nil,
    cost: ModelCost? = nil
  ) {
    self.text = text
    self.tokens = tokens
    self.attention = attention.map { heads in
      Layer(
        heads: heads.map { Head(weights: $0, tokenCount: tokens.count, isCausal: isCausal) },
        temperatureEntropies: meanEntropies(heads, tokenCount: tokens.count, temperatures: Self.temperatures))
    }
    self.isCausal = isCausal
    self.positions = positions
    self.cost = cost
  }

  /// Those of ``Layer/temperatureEntropies``.
  public static let temperatures = [0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10]

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    text = try container.decode(String.self, forKey: .text)
    tokens = try container.decode([String].self, forKey: .tokens)
    attention = try container.decodeIfPresent([Layer].self, forKey: .attention) ?? []
    isCausal = try container.decodeIfPresent(Bool.self, forKey: .isCausal) ?? true
    positions = try container.decodeIfPresent(Positions.self, forKey: .positions)
    cost = try container.decodeIfPresent(ModelCost.self, forKey: .cost)
  }

  /// The largest mean entropy a head can have, in nats: every token attends equally to all it may attend to. With a
  /// causal mask row t (from 0) has t + 1 of them, and the mean of ln(t + 1) is ln(T!) / T.
  public var largestEntropy: Double {
    let count = Double(tokens.count)
    return isCausal ? (1...max(1, tokens.count)).reduce(0) { $0 + log(Double($1)) } / max(1, count) : log(max(1, count))
  }
}

extension Analysis.Head {
  /// - Parameters:
  ///   - weights: [T·T], row = query; rows sum to 1.
  ///   - tokenCount: T.
  ///   - isCausal: Whether the mask hides later tokens.
  public init(weights: [Float], tokenCount: Int, isCausal: Bool = true) {
    precondition(
      weights.count == tokenCount * tokenCount,
      "Analysis.Head: \(weights.count) weights for \(tokenCount) tokens, expected \(tokenCount * tokenCount)")
    let sum = weights.reduce(0.0) { $0 + ($1 > 0 ? Double($1) * log(Double($1)) : Double($1) * 0) }
    entropy = sum.isFinite ? max(0, -sum) / Double(max(1, tokenCount)) : nil
    focus = sum.isFinite ? HeadFocus(weights, tokenCount: tokenCount, isCausal: isCausal) : nil
    self.weights = Data(weights.map { byte(Double($0), minimum: 0, maximum: 1) })
  }
}

extension Analysis.Positions {
  /// - Parameters:
  ///   - kind: The position encoding whose table it is.
  ///   - table: [positions][dimensions]. Values that are not finite show as the minimum.
  public init(kind: Kind, table: [[Float]]) {
    let width = table.first?.count ?? 0
    precondition(table.allSatisfy { $0.count == width }, "Analysis.Positions: the rows have different lengths")
    let finite = table.joined().filter(\.isFinite)
    let (lowest, highest) = (Double(finite.min() ?? 0), Double(finite.max() ?? 0))
    self.init(
      kind: kind, rows: table.count, columns: width, minimum: lowest, maximum: highest,
      values: Data(table.joined().map { byte(Double($0), minimum: lowest, maximum: highest) }))
  }
}

/// A value between the bounds as a byte; beyond them, the nearer bound; 0 for what is not a number.
private func byte(_ value: Double, minimum: Double, maximum: Double) -> UInt8 {
  guard maximum > minimum, value > minimum else { return 0 }
  return UInt8((min(1, (value - minimum) / (maximum - minimum)) * 255).rounded())
}
