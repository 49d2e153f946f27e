import NablaNN
import NablaTraining

extension DPOLoss: SettingValue {}

extension DPO {
  /// ``settings`` says what each field means.
  public struct Configuration: Configurable, Hashable {
    public var tuning = TuningConfiguration()
    public var loss = DPOLoss.sigmoid
    public var beta: Float = 0.1
    /// Nil for a fixed β.
    public var betaLearningRate: Float?
    public var labelSmoothing: Float = 0
    public var referenceFree = false

    public init() {
      tuning.batchSize = 4
      tuning.learningRate = 5e-5
    }

    public static let settings: [Setting<Configuration>] =
      TuningConfiguration.settings.map { $0.within(\.tuning) } + [
        Setting("loss", \.loss, "Loss of a pair, named as in TRL"),
        Setting("beta", \.beta, in: .positive, "β: how strongly the policy is kept near the reference"),
        Setting(
          "beta-learning-rate", \.betaLearningRate, in: .optional(.positive),
          "Learn β, starting from the given β: the learning rate of ln β, such as 0.01", valueName: "rate"),
        Setting(
          "label-smoothing", \.labelSmoothing, in: SettingRange("at least 0 and less than 0.5") { $0 >= 0 && $0 < 0.5 },
          "ε: fraction of mislabeled pairs; for sigmoid, robust and exo_pair"),
        Setting("reference-free", \.referenceFree, "Use a uniform reference instead of the initial model"),
      ]

    public func validateTogether() throws(ConfigurationError) {
      try tuning.validateTogether()
      try require(
        loss != .exoPair || labelSmoothing > 0, "\(setting: "label-smoothing") must be more than 0 for exo_pair")
      try require(
        labelSmoothing == 0 || [.sigmoid, .robust, .exoPair].contains(loss),
        "\(setting: "label-smoothing") is for the losses sigmoid, robust and exo_pair, not \(loss.rawValue)")
    }
  }
}
