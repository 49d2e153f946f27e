import Glibc
import NablaStudio
import Testing

/// A few steps of DPO on one choice.
struct TunePairTests {
  struct Tuned: Decodable {
    struct Side: Decodable { let text: String, tokens: Int, reference: Double }
    struct Step: Decodable { let chosen, rejected, margin, loss, weight: Double }
    let chosen, rejected: Side, parameters: Int, steps: [Step]
  }

  private func tuned(beta: Double, first: Bool = true) throws -> Tuned {
    try untrained.decoded("rlhf", "tune", ["index": "2", "beta": "\(beta)", "first": first ? "1" : "0"]).value
  }

  @Test(arguments: [0.05, 0.1, 1])
  func stepsFollowTheLoss(_ beta: Double) throws {
    let tuned = try tuned(beta: beta)
    #expect(tuned.steps.count == 13 && tuned.parameters == 64)
    #expect(abs(tuned.steps[0].margin) < 1e-3 && abs(tuned.steps[0].loss - log(2)) < 1e-4)
    // To first order the first step is 2 nats, whatever β is.
    #expect(abs(tuned.steps[1].margin - 2) < 0.5)
    for (last, step) in zip(tuned.steps, tuned.steps.dropFirst()) {
      #expect(step.margin > last.margin && step.loss < last.loss)
      #expect(abs(step.margin - (step.chosen - step.rejected)) < 1e-2)
      #expect(abs(step.loss - log1p(exp(-beta * step.margin))) < 1e-3)
      #expect(abs(step.weight - 1 / (1 + exp(beta * step.margin))) < 1e-3)
    }
  }

  @Test func aLargeBetaStopsEarly() throws {
    let margins = try [0.05, 0.2, 1].map { try tuned(beta: $0).steps.last!.margin }
    #expect(margins[0] > 1.5 * margins[1] && margins[1] > 1.5 * margins[2])
  }

  @Test func theOtherChoiceSwapsTheSides() throws {
    let (one, other) = (try tuned(beta: 0.1), try tuned(beta: 0.1, first: false))
    #expect(one.chosen.text == other.rejected.text && one.chosen.reference == other.rejected.reference)
    // A model with random weights says every byte about equally likely.
    #expect(abs(one.chosen.reference + Double(one.chosen.tokens) * log(256)) < 0.1 * Double(one.chosen.tokens))
  }
}
