import Foundation
import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining
import Testing

import NablaAlignment

/// A step on fixed log-probabilities, values and scores against torch (Tests/Fixtures/generate/rlhf.py).
@Suite struct RLHFObjectiveTests {
  private static let fixture = try! SafetensorsFile(
    path: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path + "/Fixtures/rlhf.safetensors"
  ).tensors()

  private func expectEqual(_ mine: [Float], _ theirs: Tensor, _ what: String, within tolerance: Float = 2e-5) {
    let theirs = theirs.array()
    #expect(mine.count == theirs.count)
    let difference = zip(mine, theirs).map { abs($0 - $1) }.max() ?? 0
    #expect(difference < tolerance, "\(what): \(difference)")
  }

  @Test(arguments: ["k1", "k3", "whitened"]) func equalsTorch(_ name: String) throws {
    let f = { (tensor: String) in Self.fixture[tensor]! }
    let x = { (tensor: String) in f("inputs.\(tensor)") }
    var c = RLHF.Configuration()
    (c.discount, c.lambda, c.klCoefficient, c.valueCoefficient) = (0.98, 0.9, 0.07, 0.1)
    (c.klEstimator, c.whitensRewards) = (name == "k3" ? .k3 : .k1, name == "whitened")
    let lengths = x("lengths").array(of: Int32.self).map(Int.init)

    let divergences = c.klEstimator(x("old_logps"), reference: x("ref_logps")).array()
    expectEqual(divergences, f("\(name).kl"), "kl")
    let rewards = RLHF.tokenRewards(
      divergences: divergences, scores: x("scores").array().map(Double.init), lengths: lengths,
      coefficient: c.klCoefficient)
    expectEqual(rewards, f("\(name).rewards"), "rewards")
    let learned = c.whitensRewards ? whitened(Tensor(rewards), keepsMean: true).array() : rewards
    let (advantages, returns) = RLHF.advantages(
      rewards: learned, values: x("values").array(), lengths: lengths, c)
    expectEqual(returns, f("\(name).returns"), "returns")
    let terms = RLHF.Terms(
      old: x("old_logps"), advantages: whitened(Tensor(advantages)), oldValues: x("values"), returns: Tensor(returns))
    expectEqual(terms.advantages.array(), f("\(name).advantages"), "advantages")

    let networks = Leaves(x("logps"), x("new_values"))
    let (loss, gradients) = valueAndGradient(of: networks) { networks in
      RLHF.policyLosses(networks.logps, terms, c).mean()
        + Tensor(c.valueCoefficient) * RLHF.valueLosses(networks.values, terms, c).mean()
    }
    expectEqual([loss.item()], f("\(name).loss"), "loss")
    expectEqual(gradients["logps"]!.array(), f("\(name).logps_gradient"), "gradient of ln π")
    expectEqual(gradients["values"]!.array(), f("\(name).values_gradient"), "gradient of V")
    let policyLoss = withoutGradient { RLHF.policyLosses(x("logps"), terms, c).mean() }
    expectEqual([policyLoss.item()], f("\(name).policy_loss"), "policy loss")

    let tally = RLHFTally()
    withoutGradient {
      tally.add(x("logps"), x("logps"), RLHF.policyLosses(x("logps"), terms, c), terms, c)
      tally.add(values: x("new_values"), RLHF.valueLosses(x("new_values"), terms, c), terms, c)
    }
    let metrics = Dictionary(uniqueKeysWithValues: tally.metrics(c).map { ($0.name, Float($0.value)) })
    for (mine, theirs) in [
      ("policy/approxkl_avg", "approxkl"), ("policy/clipfrac_avg", "clipfrac"), ("val/clipfrac_avg", "value_clipfrac"),
      ("val/ratio", "ratio"), ("val/ratio_var", "ratio_var"), ("loss/policy_avg", "policy_loss"),
      ("loss/value_avg", "value_loss"),
    ] {
      expectEqual([metrics[mine]!], f("\(name).\(theirs)"), mine)
    }
    #expect(metrics["policy/clipfrac_avg"]! > 0.05 && metrics["val/clipfrac_avg"]! > 0.05)
  }

  /// The score counts at the last token alone, and nothing of a completion reaches its neighbor.
  @Test func scoresBelongToTheLastToken() {
    let rewards = RLHF.tokenRewards(
      divergences: [0, 0, 0, 0, 0, 0], scores: [2, -3], lengths: [4, 2], coefficient: 1)
    #expect(rewards == [0, 0, 0, 2, 0, -3])
    var c = RLHF.Configuration()
    (c.discount, c.lambda) = (1, 1)
    let values = [Float](repeating: 0.5, count: 6)
    let (advantages, returns) = RLHF.advantages(rewards: rewards, values: values, lengths: [4, 2], c)
    #expect(advantages == [1.5, 1.5, 1.5, 1.5, -3.5, -3.5] && returns == [2, 2, 2, 2, -3, -3])
  }

  @Test func settings() throws {
    #expect(throws: ConfigurationError.self) { _ = try RLHF.Configuration().changed(["mini-batches": "9"]) }
    #expect(throws: ConfigurationError.self) { _ = try RLHF.Configuration().changed(["kl-target": "0"]) }
    let c = try RLHF.Configuration().changed(["kl-target": "6", "kl-estimator": "k3", "mini-batches": "8"])
    #expect(c.klTarget == 6 && c.klEstimator == .k3 && c.miniBatches == 8)
  }

  private final class Leaves: Module {
    @Parameter var logps: Tensor
    @Parameter var values: Tensor
    init(_ logps: Tensor, _ values: Tensor) { (self.logps, self.values) = (logps, values) }
  }
}
