import NablaReport

extension Equation {
  /// What these algorithms optimize.
  static func ofAlgorithms(_ names: [String]) -> [Equation] {
    var equations: [Equation] = []
    if names.contains("ppo") { equations += [.clippedObjective] }
    if names.contains("a2c") { equations += [.actorCritic] }
    if names.contains("reinforce") { equations += [.policyGradient] }
    if names.contains(where: { $0 != "reinforce" }) { equations += [.advantages] }
    return equations
  }

  /// Schulman et al. 2017, equation 7.
  package static let clippedObjective = Equation(
    #"\mathcal{L} = -\mathbb{E}\left[\min\!\left(r \hat{A},\; \operatorname{clip}(r, 1 - \epsilon, 1 + \epsilon)\,"#
      + #" \hat{A}\right)\right] + c_v\, \mathbb{E}\left[(V(s) - R)^2\right] - c_H\, \mathbb{E}\left[H\right],"#
      + #" \qquad r = \frac{\pi_\theta(a \mid s)}{\pi_{\text{old}}(a \mid s)}"#,
    "PPO's loss: the clipped objective, the value loss, and the entropy bonus (Schulman et al. 2017).")

  /// Schulman et al. 2016, equation 16.
  package static let advantages = Equation(
    #"\hat{A}_t = \delta_t + \gamma \lambda\, \hat{A}_{t+1}, \qquad \delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)"#,
    "Generalized advantage estimation (Schulman et al. 2016): how much better an action was than expected.")

  static let actorCritic = Equation(
    #"\mathcal{L} = -\mathbb{E}\left[\hat{A} \ln \pi_\theta(a \mid s)\right]"#
      + #" + c_v\, \mathbb{E}\left[(V(s) - R)^2\right] - c_H\, \mathbb{E}\left[H\right]"#,
    "A2C's loss (Mnih et al. 2016).")

  static let policyGradient = Equation(
    #"\mathcal{L} = -\mathbb{E}\left[(G_t - b(s_t)) \ln \pi_\theta(a_t \mid s_t)\right],"#
      + #" \qquad G_t = r_t + \gamma r_{t+1} + \gamma^2 r_{t+2} + \dots"#,
    "REINFORCE (Williams 1992); b is the baseline, 0 without one.")
}
