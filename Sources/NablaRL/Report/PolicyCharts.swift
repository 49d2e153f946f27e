import NablaFormats
import NablaReport

/// How the metrics of reinforcement learning are drawn; Documentation/ppo.md defines them.
let policyMetrics = [
  MetricChart(
    name: returnMetric, id: "return", title: "Return",
    caption: "Sum of rewards per episode, averaged over the last 100. Higher is better.", axis: "return",
    color: "accent"),
  MetricChart(
    name: "losses/explained_variance", id: "explained", title: "Explained variance",
    caption: "Fraction of the variance of the returns that the critic explains: 1 is all, 0 no better than a constant.",
    axis: "explained variance", color: "second", isSmoothed: true),
  MetricChart(
    name: "losses/policy_loss", id: "policy-loss", title: "Policy loss",
    caption: "The negative policy objective. Its value means little; a jump means that something broke.",
    axis: "policy loss", color: "accent", isSmoothed: true),
  MetricChart(
    name: "losses/value_loss", id: "value-loss", title: "Value loss",
    caption: "Mean squared error of the critic. It scales with the returns.", axis: "value loss",
    color: "second",
    isSmoothed: true),
  MetricChart(
    name: "losses/entropy", id: "entropy", title: "Entropy",
    caption:
      "Entropy of the policy, in nats. It falls as the policy grows certain; an early collapse ends exploration.",
    axis: "nats", color: "third", isSmoothed: true),
  MetricChart(
    name: "losses/approx_kl", id: "kl", title: "KL to the rollout policy",
    caption: "How far an update moves the policy, in nats. Sustained values above about 0.03 mean large steps.",
    axis: "nats", color: "third", isSmoothed: true),
  MetricChart(
    name: "losses/clipfrac", id: "clipfrac", title: "Clip fraction",
    caption: "Fraction of samples whose ratio left 1 ± ε, over the epochs of an update.", axis: "fraction",
    color: "second",
    isSmoothed: true),
  MetricChart(
    name: "losses/gradient_norm", id: "policy-norm", title: "Gradient norm",
    caption: "Global L2 norm of the gradient, before clipping.", axis: "L2 norm", color: "third", isSmoothed: true),
  MetricChart(
    name: "charts/std", id: "std", title: "Standard deviation of the actions",
    caption: "For continuous actions: how widely the policy explores around its mean.", axis: "σ", color: "third"),
  MetricChart(
    name: "charts/episodic_length", id: "length", title: "Episode length",
    caption: "The mean over the last 100 episodes.", axis: "steps", color: "accent"),
  MetricChart(
    name: "charts/learning_rate", id: "policy-rate", title: "Learning rate", caption: "The schedule as applied.",
    axis: "learning rate", format: .exponential, color: "third"),
  MetricChart(
    name: "charts/clip_range", id: "clip-range", title: "Clip range", caption: "ε as applied.", axis: "ε",
    color: "third"),
  MetricChart(
    name: "charts/SPS", id: "sps", title: "Throughput", caption: "Environment steps per second, including learning.",
    axis: "steps/s", format: .scaled, color: "accent", isSmoothed: true, startsAtZero: true),
]

/// The name of the return in `metrics.jsonl`.
let returnMetric = "charts/episodic_return"

extension RunContents {
  /// The training curves of a policy.
  func policyCurves() -> ReportSection? {
    curvesSection(known: policyMetrics, hidden: ["charts/episodes", "charts/epochs", "charts/seconds"])
  }

  /// The facts at the head of a policy's page.
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
