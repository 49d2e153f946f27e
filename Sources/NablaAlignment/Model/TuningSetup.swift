import NablaText

/// The contents of `config.json` of a trainer on rows with completions: all that is needed to recreate it.
public struct TuningSetup<Training: AlignmentConfiguration>: Codable, Sendable {
  public var source: TunedModel.Source
  public var data: TuningData.Description
  public var training: Training

  init(source: TunedModel.Source, data: TuningData.Description, training: Training) {
    (self.source, self.data) = (source.templated(data.template), data)
    self.training = training.starting(from: source)
  }

  /// The same for a run that may have moved.
  func located(of run: String) throws -> TuningSetup {
    try TuningSetup(source: source.located(of: run), data: data.located(of: run), training: training)
  }
}

/// The contents of `config.json` of a trainer on its own completions, which are judged.
public struct JudgedSetup<Training: AlignmentConfiguration>: Codable, Sendable {
  public var source: TunedModel.Source
  public var data: TuningData.Description
  public var training: Training
  public var judge: JudgeDescription

  public init(
    source: TunedModel.Source, data: TuningData.Description, training: Training, judge: JudgeDescription
  ) {
    (self.source, self.data, self.judge) = (source.templated(data.template), data, judge)
    self.training = training.starting(from: source)
  }

  /// The same for a run that may have moved.
  func located(of run: String) throws -> JudgedSetup {
    try JudgedSetup(
      source: source.located(of: run), data: data.located(of: run), training: training, judge: judge.located(of: run))
  }
}
