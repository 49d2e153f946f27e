import Glibc
import NablaScaling

extension ScalingStep {
  /// C = 6ND for a model and its tokens, and how long that takes.
  struct Hand: Encodable {
    /// Seconds on some hardware, at a share of its rate.
    struct Time: Encodable {
      var name: String
      /// FLOP/s of all of it, before the share.
      var rate: Double
      var seconds: Double
      var source: String
    }

    var parameters, tokens: Double
    /// 2ND: a multiplication and an addition for each parameter and token.
    var forward: Double
    /// 4ND: gradients of activations and of weights.
    var backward: Double
    var compute, petaflopDays, tokensPerParameter: Double
    /// The split of the same compute that the law of step 6 finds best.
    var best: Plane.Place
    var loss: Double
    var times: [Time]
  }

  /// This computer, measured once.
  private static let here = Hardware.this(measuringFor: 0.3)

  static let hand = Computation.answer("hand") { query, _ in
    let n = try query.number("parameters", in: 1e3...1e15, default: 175e9)
    let d = try query.number("tokens", in: 1e3...1e17, default: 300e9)
    let share = try query.number("utilization", in: 0.01...1, default: 0.4)
    let (allocation, law) = (Allocation(parameters: n, tokens: d), Chinchilla.besiroglu)
    var accelerators = try Hardware(named: "1024xH100")
    let one = try Hardware(named: "H100")
    accelerators.name = "1,024 H100"
    return Hand(
      parameters: n, tokens: d, forward: 2 * n * d, backward: 4 * n * d, compute: allocation.compute,
      petaflopDays: Compute.petaflopDays(flop: allocation.compute), tokensPerParameter: allocation.tokensPerParameter,
      best: Plane.Place(law.optimalAllocation(compute: allocation.compute), law), loss: law.loss(allocation),
      times: [here, one, accelerators].map {
        .init(
          name: $0.name, rate: Double($0.count) * $0.flopPerSecond,
          seconds: $0.seconds(compute: allocation.compute, utilization: share), source: $0.source)
      })
  }
}
