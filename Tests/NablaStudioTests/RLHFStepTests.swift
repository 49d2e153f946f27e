import Glibc
import NablaStudio
import Testing

struct RLHFStepTests {
  struct Preference: Decodable { let margins, losses, pulls, probabilities: [Double] }

  @Test(arguments: [0.1, 0.5, 1.0])
  func thePullIsTheSlopeOfTheLoss(_ beta: Double) throws {
    let answer: Preference = try untrained.decoded("rlhf", "preference", ["beta": "\(beta)"]).value
    for (margin, (loss, pull)) in zip(answer.margins, zip(answer.losses, answer.pulls)) {
      #expect(abs(loss - log1p(exp(-beta * margin))) < 1e-4 * max(1, loss))
      #expect(abs(pull - beta / (1 + exp(beta * margin))) < 1e-5)
    }
  }

  struct Clip: Decodable { let ratios, surrogate, unclipped: [Double], value, gradient: Double }

  @Test(arguments: [
    (1.5, true, 1.2, 0.0), (1.1, true, 1.1, 1), (0.5, true, 0.5, 1), (0.5, false, -0.8, 0), (1.5, false, -1.5, -1),
  ])
  func theClipHoldsOnOneSide(_ ratio: Double, _ isPositive: Bool, _ value: Double, _ gradient: Double) throws {
    let answer: Clip = try untrained.decoded(
      "rlhf", "clip", ["ratio": "\(ratio)", "positive": isPositive ? "1" : "0"]
    ).value
    #expect(abs(answer.value - value) < 1e-6 && abs(answer.gradient - gradient) < 1e-6)
  }

  struct Group: Decodable { let advantages, centered: [Double], isFlat: Bool }

  @Test func advantagesOfAGroup() throws {
    let answer: Group = try untrained.decoded("rlhf", "group", ["rewards": "1,0,0,1,0,1"]).value
    // Mean 0.5, sample standard deviation √0.3.
    for (advantage, reward) in zip(answer.advantages, [1.0, 0, 0, 1, 0, 1]) {
      #expect(abs(advantage - (reward - 0.5) / (0.3.squareRoot() + 1e-4)) < 1e-5)
    }
    let flat: Group = try untrained.decoded("rlhf", "group", ["rewards": "1,1,1,1,1,1"]).value
    #expect(flat.isFlat && flat.advantages == [0, 0, 0, 0, 0, 0])
    #expect(throws: StudioError.self) { try untrained.answer("rlhf", "group", StudioQuery(["rewards": "1,nan"])) }
  }

  struct Leash: Decodable { let rewards, reference, policy: [Double], reward, divergence: Double }

  /// The optimum beats every mixture with the reference, and with a short leash is the reference.
  @Test func theOptimumIsOne() throws {
    let beta = 0.5
    let answer: Leash = try untrained.decoded("rlhf", "leash", ["beta": "\(beta)"]).value
    func objective(_ policy: [Double]) -> Double {
      var sum = 0.0
      for i in policy.indices {
        sum += policy[i] * (answer.rewards[i] - beta * log(policy[i] / answer.reference[i]))
      }
      return sum
    }
    #expect(abs(answer.policy.reduce(0, +) - 1) < 1e-9)
    let best = objective(answer.policy)
    #expect(abs(best - (answer.reward - beta * answer.divergence)) < 1e-9)
    for share in [0.1, 0.5, 0.9] {
      let mixed = zip(answer.policy, answer.reference).map { share * $0 + (1 - share) * $1 }
      #expect(objective(mixed) < best)
    }
    let short: Leash = try untrained.decoded("rlhf", "leash", ["beta": "10"]).value
    #expect(short.divergence < 0.01)
  }
}
