import NablaFormats
import NablaReport

/// How the metrics of reinforcement learning are drawn; Documentation/ppo.md defines them.
let policyMetrics = [
  MetricChart(
    name: returnMetric, id: "return", title: "Return",
    caption: "Sum of the rewards of an episode: the mean over the last 100. Higher is better.", axis: "return",
    color: "accent"),
  MetricChart(
    name: "losses/explained_variance", id: "explained", title: "Explained variance",
    caption: "How much of the returns the critic foresaw: 1 is all, 0 no more than a constant would.",
    axis: "explained variance", color: "second", isSmoothed: true),
  MetricChart(
    name: "losses/policy_loss", id: "policy-loss", title: "Policy loss",
    caption: "Minus the objective of the policy; its height says little, a jump that something broke.",
    axis: "policy loss", color: "accent", isSmoothed: true),
  MetricChart(
    name: "losses/value_loss", id: "value-loss", title: "Value loss",
    caption: "Mean squared error of the critic. Grows with the returns themselves.", axis: "value loss",
    color: "second",
    isSmoothed: true),
  MetricChart(
    name: "losses/entropy", id: "entropy", title: "Entropy",
    caption:
      "How undecided the policy is, in nats. It falls as the policy makes up its mind; to fall at once is to stop exploring.",
    axis: "nats", color: "third", isSmoothed: true),
  MetricChart(
    name: "losses/approx_kl", id: "kl", title: "KL to the policy that acted",
    caption: "How far an update moves the policy, in nats. Lasting values above about 0.03 are large steps.",
    axis: "nats", color: "third", isSmoothed: true),
  MetricChart(
    name: "losses/clipfrac", id: "clipfrac", title: "Clip fraction",
    caption: "Share of samples whose ratio left 1 ± ε, over the epochs of an update.", axis: "share", color: "second",
    isSmoothed: true),
  MetricChart(
    name: "losses/gradient_norm", id: "policy-norm", title: "Gradient norm",
    caption: "Global L2 norm of the gradient, before clipping.", axis: "L2 norm", color: "third", isSmoothed: true),
  MetricChart(
    name: "charts/std", id: "std", title: "Standard deviation of the actions",
    caption: "Of continuous actions: how far the policy explores around its mean.", axis: "σ", color: "third"),
  MetricChart(
    name: "charts/episodic_length", id: "length", title: "Length of episodes",
    caption: "The mean over the last 100 episodes.", axis: "steps", color: "accent"),
  MetricChart(
    name: "charts/learning_rate", id: "policy-rate", title: "Learning rate", caption: "The schedule as it was applied.",
    axis: "learning rate", format: .exponential, color: "third"),
  MetricChart(
    name: "charts/clip_range", id: "clip-range", title: "Clip range", caption: "ε as it was applied.", axis: "ε",
    color: "third"),
  MetricChart(
    name: "charts/SPS", id: "sps", title: "Throughput", caption: "Environment steps a second, acting and learning.",
    axis: "steps/s", format: .scaled, color: "accent", isSmoothed: true, startsAtZero: true),
]

/// The name of the return in `metrics.jsonl`.
let returnMetric = "charts/episodic_return"

extension RunContents {
  /// The training curves of a policy.
  func policyCurves() -> ReportSection? {
    curvesSection(known: policyMetrics, hidden: ["charts/episodes", "charts/epochs", "charts/seconds"])
  }

  /// What the head of the page tells of a policy.
  var policyFacts: [ReportFact] {
    let last = metrics[returnMetric].last
    return [
      last.map { ReportFact("Return", significant($0.value, digits: 4), "mean of the last 100 episodes") },
      last.map { ReportFact("Environment steps", amount($0.step)) },
      metrics.last("charts/episodes").map { ReportFact("Episodes", amount($0)) },
      median(metrics["charts/SPS"]).map { ReportFact("Throughput", "\(amount($0)) steps/s", "median") },
    ].compactMap { $0 }
  }
}
