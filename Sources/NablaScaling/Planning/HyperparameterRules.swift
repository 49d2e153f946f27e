import Glibc

/// A suggested peak learning rate and batch size, from a published rule. The rules disagree
/// by factors of 2 and 3: each was fitted with its own optimizer settings, schedule and text.
public struct HyperparameterRule: Sendable, Hashable {
  public var source: String
  /// Of AdamW, at its peak; nil when the rule has none.
  public var learningRate: Double?
  /// In tokens.
  public var batchTokens: Double?

  /// The suggestions for a model of `parameters` (without embeddings) trained on `tokens` to `loss`.
  public static func all(parameters: Double, tokens: Double, loss: Double) -> [HyperparameterRule] {
    let compute = 6 * parameters * tokens
    return [
      HyperparameterRule(
        source: "DeepSeek LLM (Bi et al. 2024): 0.3118·C^-0.125, 0.2920·C^0.3271",
        learningRate: 0.3118 * pow(compute, -0.1250), batchTokens: 0.2920 * pow(compute, 0.3271)),
      HyperparameterRule(
        source: "Step Law (Li et al. 2025): 1.79·N^-0.713·D^0.307, 0.58·D^0.571",
        learningRate: 1.79 * pow(parameters, -0.713) * pow(tokens, 0.307), batchTokens: 0.58 * pow(tokens, 0.571)),
      HyperparameterRule(
        source: "critical batch size (Kaplan et al. 2020): 2·10⁸ / L^(1/0.21)",
        learningRate: nil, batchTokens: 2e8 / pow(loss, 1 / 0.21)),
    ]
  }
}
