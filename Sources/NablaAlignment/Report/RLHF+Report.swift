import NablaReport
import NablaTraining

extension RLHF {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    try ReportPage(
      tuning: folder, (try? folder.configuration(as: Setup.self))?.training.tuning,
      objective: [.tokenReward, .clippedTokens, .tokenAdvantages],
      loss: LossChart(caption: "Policy and value together; its value means little: watch the scores instead."),
      comparisons: [
        ComparisonChart(
          id: "scores", title: "Score",
          caption:
            "Mean over completions; greedy decoding for held-out prompts. With the penalty it is what PPO maximizes.",
          axis: "score",
          lines: [
            .init("objective/scores", "training", color: "accent"), .init("eval_reward", "held out", color: "second"),
            .init("objective/rlhf_reward", "less the KL penalty", color: "third"),
          ], isSmoothed: true)
      ],
      known: [
        MetricChart(
          name: "objective/kl", id: "kl", title: "KL to the reference",
          caption: "How far the policy has moved, in nats per completion.", axis: "nats", color: "third",
          isSmoothed: true),
        MetricChart(
          name: "completions/mean_length", id: "length", title: "Completion length", caption: "Mean, in tokens.",
          axis: "tokens", color: "accent", isSmoothed: true),
        MetricChart(
          name: "val/explained_variance", id: "explained", title: "Explained variance",
          caption: "How much of the returns the value function foresaw; 1 is all.", axis: "fraction", color: "second",
          isSmoothed: true),
      ])
  }
}

extension Equation {
  /// Schulman et al. 2017, equation 7.
  static let clippedTokens = Equation(
    #"\mathcal{L} = -\mathbb{E}\left[\min\!\left(r_t \hat{A}_t,\; \operatorname{clip}(r_t, 1 - \epsilon, 1 + \epsilon)\,"#
      + #" \hat{A}_t\right)\right], \qquad r_t = \frac{\pi_\theta(y_t \mid x, y_{<t})}{\pi_{\text{old}}(y_t \mid x, y_{<t})}"#,
    "PPO's loss of the policy (Schulman et al. 2017), over the tokens of completions.")

  /// Schulman et al. 2016, equation 16.
  static let tokenAdvantages = Equation(
    #"\hat{A}_t = \delta_t + \gamma \lambda\, \hat{A}_{t+1}, \qquad \delta_t = r_t + \gamma V_{t+1} - V_t"#,
    "Generalized advantage estimation (Schulman et al. 2016) along each completion; V is the value function.")

  /// Ouyang et al. 2022, equation 2.
  static let tokenReward = Equation(
    #"r_t = -\beta \ln \frac{\pi_\theta(y_t \mid x, y_{<t})}{\pi_{\text{ref}}(y_t \mid x, y_{<t})}"#
      + #" + [t = T]\, r_\phi(x, y)"#,
    "The reward of a token: a penalty for leaving the reference, and at the end the score of the reward model.")
}
