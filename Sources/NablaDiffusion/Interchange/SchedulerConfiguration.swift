import NablaFormats

/// diffusers' `scheduler/scheduler_config.json` of a DDPMScheduler or DDIMScheduler: the process that a model was
/// trained on, and how it is meant to be sampled.
public struct SchedulerConfiguration: Sendable {
  public var process: DiscreteProcess
  public var prediction: Prediction
  public var variance: ReverseVariance
  public var spacing: StepSpacing
  public var final: FinalStep
  public var offset: Int
  public var threshold: Threshold

  public init(
    _ process: DiscreteProcess, prediction: Prediction, variance: ReverseVariance = .fixedSmall,
    spacing: StepSpacing = .trailing, final: FinalStep = .clean, offset: Int = 0, threshold: Threshold = .none
  ) {
    self.process = process
    self.prediction = prediction
    self.variance = variance
    self.spacing = spacing
    self.final = final
    self.offset = offset
    self.threshold = threshold
  }

  static let predictions: [String: Prediction] = ["epsilon": .noise, "sample": .data, "v_prediction": .v]
  static let variances: [String: ReverseVariance] = [
    "fixed_small": .fixedSmall, "fixed_large": .fixedLarge, "learned_range": .learnedRange,
  ]
  static let schedules: [String: BetaSchedule] = [
    "linear": .linear, "scaled_linear": .scaledLinear, "squaredcos_cap_v2": .cosine, "sigmoid": .sigmoid,
  ]
}

extension SchedulerConfiguration {
  /// - Throws: ``FileError``, ``JSONError``, ``DataError`` naming the file and field, or ``DiffusionError``.
  init(path: String) throws {
    let fields = try ConfigurationFields(path: path)
    let kind = try fields.string("_class_name") ?? "DDPMScheduler"
    guard kind == "DDPMScheduler" || kind == "DDIMScheduler" else {
      throw fields.failure("_class_name", "is \"\(kind)\"; \"DDPMScheduler\" and \"DDIMScheduler\" are supported")
    }
    /// One of the known names.
    func choice<Value>(_ name: String, _ values: [String: Value], default standard: String) throws(DataError) -> Value {
      let word = try fields.string(name) ?? standard
      guard let value = values[word] else {
        throw fields.failure(name, "is \"\(word)\"; supported: \(values.keys.sorted().joined(separator: ", "))")
      }
      return value
    }
    let count = try fields.size("num_train_timesteps") ?? 1000
    guard count >= 2 else { throw fields.failure("num_train_timesteps", "is \(count); at least 2 are required") }
    let range = (try fields.number("beta_start") ?? 1e-4, try fields.number("beta_end") ?? 0.02)
    // diffusers uses the range as is, whatever the number of steps.
    let schedule = try choice("beta_schedule", Self.schedules, default: "linear")
    let betas = try fields.numbers("trained_betas") ?? schedule.betas(count, range: range)
    guard betas.count == count else {
      throw fields.failure("trained_betas", "has \(betas.count) numbers, not \(count)")
    }
    self.init(
      try DiscreteProcess(betas: betas, zeroTerminalSNR: try fields.bool("rescale_betas_zero_snr") ?? false),
      prediction: try choice("prediction_type", Self.predictions, default: "epsilon"),
      variance: try choice("variance_type", Self.variances, default: "fixed_small"),
      spacing: try choice(
        "timestep_spacing", ["leading": .leading, "trailing": .trailing, "linspace": .linspace], default: "leading"),
      final: try fields.bool("set_alpha_to_one") ?? true ? .clean : .first, offset: try fields.size("steps_offset") ?? 0
    )
    if try fields.bool("thresholding") ?? false {
      threshold = .dynamic(
        quantile: try fields.number("dynamic_thresholding_ratio") ?? 0.995,
        ceiling: try fields.number("sample_max_value") ?? 1)
    } else if try fields.bool("clip_sample") ?? true {
      threshold = .clip(limit: try fields.number("clip_sample_range") ?? 1)
    }
  }

  /// The betas are written out, so that readers need not know how they were made.
  func diffusersJSON(_ kind: String) -> JSONValue {
    func word<Value: Equatable>(_ values: [String: Value], _ value: Value) -> JSONValue {
      values.first { $0.value == value }.map { .string($0.key) } ?? .null
    }
    var previous = 1.0
    let betas = process.alphaBars.map { bar -> JSONValue in
      defer { previous = bar }
      return .number(1 - bar / previous)
    }
    var object: JSONObject = JSONObject([
      ("_class_name", .string(kind)), ("num_train_timesteps", .integer(process.count)),
      ("trained_betas", .array(betas)), ("prediction_type", word(Self.predictions, prediction)),
      ("timestep_spacing", .string(spacing == .karras ? "trailing" : spacing.rawValue)),
      ("steps_offset", .integer(offset)), ("rescale_betas_zero_snr", false),
    ])
    if kind == "DDIMScheduler" {
      object["set_alpha_to_one"] = .bool(final == .clean)
    } else {
      object["variance_type"] = word(Self.variances, variance)
    }
    object["clip_sample"] = false
    object["thresholding"] = false
    switch threshold {
    case .none: break
    case .clip(let limit):
      object["clip_sample"] = true
      object["clip_sample_range"] = .number(limit)
    case .dynamic(let quantile, let ceiling):
      object["thresholding"] = true
      object["dynamic_thresholding_ratio"] = .number(quantile)
      object["sample_max_value"] = .number(ceiling)
    }
    return .object(object)
  }
}
