import Foundation
import NablaFormats
import NablaNN
import NablaTensor
import Testing

import NablaAlignment

@Suite struct GRPOObjectiveTests {
  private static let fixture: [String: Tensor]? = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures")
    return try? SafetensorsFile(path: folder.appendingPathComponent("alignment.safetensors").path).tensors()
  }()

  /// TRL's loss and gradient; Tests/Fixtures/generate/alignment.py made the numbers.
  @Test(arguments: ["grpo", "bnpo", "dapo", "dr_grpo", "grpo_kl", "bnpo_kl", "dapo_kl", "dr_grpo_kl", "gspo"])
  func followsTRL(_ name: String) throws {
    func tensor(_ name: String) throws -> Tensor { try #require(Self.fixture?[name]) }
    var c = GRPO.Configuration()
    (c.clipLow, c.clipHigh, c.maximumTokens) = (0.2, 0.28, 12)
    c.beta = name.hasSuffix("_kl") ? 0.05 : 0
    c.variant =
      name == "gspo" ? .grpo : try #require(TokenAggregation(rawValue: name.replacingOccurrences(of: "_kl", with: "")))
    c.importanceSampling = name == "gspo" ? .sequence : .token
    let lengths = try tensor("grpo.lengths").array(of: Int32.self).map(Int.init)
    let terms = GRPO.Terms(
      old: try tensor("grpo.old_logps"), reference: try tensor("grpo.ref_logps"),
      advantages: try tensor("grpo.advantages").repeated(lengths), importance: nil, lengths: lengths)
    let weights = GRPO.weights(lengths.map { rollout(length: $0) }, c)
    let (value, gradients) = valueAndGradient(at: [try tensor("grpo.logps")]) {
      (GRPO.tokenLosses($0[0], terms, c) * weights).sum()
    }
    #expect(abs(Double(value.item()) - (try tensor("grpo.\(name).loss").array(of: Double.self)[0])) < 1e-6)
    for (own, theirs) in zip(gradients[0].array(), try tensor("grpo.\(name).logps_gradient").array()) {
      #expect(abs(own - theirs) < 1e-6)
    }
  }

  private func rollout(length: Int, isTruncated: Bool = false) -> Rollout {
    Rollout(
      prompt: 0, promptTokens: [1], tokens: [Int32](repeating: 2, count: length),
      samplerLogProbabilities: [Float](repeating: -1, count: length), isTruncated: isTruncated, text: "")
  }

  /// Two completions of 1 and 3 tokens with Â = 1 and -2, at r = 1. By hand: (-1 + 2)/2; (-1 + 3·2)/4; (-1 + 3·2)/(2·10).
  @Test(arguments: [(TokenAggregation.grpo, 0.5), (.dapo, 1.25), (.bnpo, 1.25), (.drGRPO, 0.25)])
  func variantsByHand(_ variant: TokenAggregation, _ expected: Double) {
    var c = GRPO.Configuration()
    (c.variant, c.maximumTokens) = (variant, 10)
    let logs = Tensor([Float(-1), -2, -0.5, -3])
    let terms = GRPO.Terms(old: logs, advantages: Tensor([Float(1), -2, -2, -2]), lengths: [1, 3])
    let weights = GRPO.weights([rollout(length: 1), rollout(length: 3)], c)
    #expect(abs(Double((GRPO.tokenLosses(logs, terms, c) * weights).sum().item()) - expected) < 1e-6)
  }

  @Test func importanceWeighsTheSurrogateAlone() {
    var c = GRPO.Configuration()
    c.beta = 0.5
    let logs = Tensor([Float(-1)])
    let terms = GRPO.Terms(
      old: logs, reference: Tensor([Float(-2)]), advantages: Tensor([Float(3)]), importance: Tensor([Float(0.5)]),
      lengths: [1])
    // -0.5·3 + 0.5·(e^-1 - 1 + 1)
    #expect(abs(GRPO.tokenLosses(logs, terms, c).item() - (-1.5 + 0.5 * 0.36787944)) < 1e-6)
  }

  @Test func truncatedCompletionsAreMaskedOnPurpose() {
    var c = GRPO.Configuration()
    c.variant = .dapo
    let rollouts = [rollout(length: 2), rollout(length: 4, isTruncated: true)]
    #expect(GRPO.weights(rollouts, c).array() == [Float](repeating: 1 / 6, count: 6))
    c.masksTruncated = true
    #expect(GRPO.weights(rollouts, c).array() == [0.5, 0.5, 0, 0, 0, 0])
  }
}
