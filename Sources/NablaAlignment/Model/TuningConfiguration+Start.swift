import NablaLanguage
import NablaNN
import NablaTraining

// What a run takes over from what it starts from: the quantization of the base, and the shape of its adapter, which
// training cannot change. So the configuration that is saved and reported is the one that is trained.

extension AdapterKind {
  init(of adapter: LoRAConfiguration) { self = adapter.usesMagnitude ? .dora : .lora }
}

extension TuningConfiguration {
  /// The same for training from a source. Settings of adapters that are at their defaults become those of the source's
  /// adapter.
  func starting(from source: TunedModel.Source) -> TuningConfiguration {
    if adapter == .none { return self }
    var c = self
    c.quantization = source.quantization
    guard let start = source.lora else { return c }
    let defaults = TuningConfiguration()
    func adopt<Value: Equatable>(_ path: WritableKeyPath<TuningConfiguration, Value>, _ value: Value) {
      if c[keyPath: path] == defaults[keyPath: path] { c[keyPath: path] = value }
    }
    adopt(\.adapter, AdapterKind(of: start))
    adopt(\.loraRank, start.rank)
    adopt(\.loraAlpha, start.alpha)
    adopt(\.loraTargets, NameList(start.targets))
    adopt(\.usesRankStabilization, start.usesRankStabilization)
    return c
  }

  /// - Parameters:
  ///   - source: what ``starting(from:)`` was given.
  ///   - model: has the source's adapter as the policy's.
  /// - Throws: `ConfigurationError` for a setting that is not that of the adapter.
  func checkAdapter(of source: TunedModel.Source, in model: TransformerLM) throws(ConfigurationError) {
    guard let own = lora, let start = source.lora, let path = source.adapter else { return }
    func check<Value: SettingValue>(
      _ name: String, _ asked: Value, _ kept: Value, isSame: Bool
    ) throws(ConfigurationError) {
      if isSame { return }
      throw ConfigurationError(
        """
        \(setting: name) is \(asked.settingText ?? "none"), but training starts from \(path), where it is \
        \(kept.settingText ?? "none"): leave it out, or train a new adapter on the model that 'nabla merge' writes
        """)
    }
    let kind = AdapterKind(of: start)
    try check("adapter", adapter, kind, isSame: adapter == kind)
    try check("lora-rank", loraRank, start.rank, isSame: loraRank == start.rank)
    try check("lora-alpha", loraAlpha, start.alpha, isSame: loraAlpha == start.alpha)
    // Different names can mean the same layers.
    let named = model.namedModules().filter { $0.module is Linear && own.targets($0.path) }.map(\.path)
    let adapted = model.adapter(TunedModel.policyName).map(\.path)
    try check("lora-targets", loraTargets, NameList(start.targets), isSame: Set(named) == Set(adapted))
    let (asked, kept) = (usesRankStabilization, start.usesRankStabilization)
    try check("rslora", asked, kept, isSame: asked == kept)
  }
}

/// The configuration of a trainer of this module.
public protocol AlignmentConfiguration: Configurable {
  /// What all of them have in common.
  var tuning: TuningConfiguration { get set }
}

extension SFT.Configuration: AlignmentConfiguration {}
extension RewardModel.Configuration: AlignmentConfiguration {}
extension DPO.Configuration: AlignmentConfiguration {}
extension GRPO.Configuration: AlignmentConfiguration {}
extension RLHF.Configuration: AlignmentConfiguration {}

extension AlignmentConfiguration {
  /// The same for training from a source; see ``TuningConfiguration/starting(from:)``.
  func starting(from source: TunedModel.Source) -> Self {
    var copy = self
    copy.tuning = tuning.starting(from: source)
    return copy
  }
}
