/// The configuration of low-rank adapters (Hu et al. 2021). Field names follow Hugging Face's PEFT.
public struct LoRAConfiguration: Sendable, Codable, Hashable {
  /// r: the rank of each update.
  public var rank = 16
  /// α: the update is B·A times α/r.
  public var alpha: Float = 32
  /// The probability with which an element of an adapter's input is set to 0 in training.
  public var dropout: Float = 0
  /// Layers that get an adapter: names, or suffixes of names after a dot; `all-linear` is all except the output layer.
  public var targets = [LoRAConfiguration.allLinear]
  /// Whether the update is scaled by α/√r (rsLoRA, Kalajdzievski 2023), which keeps its magnitude at large ranks.
  public var usesRankStabilization = false
  /// Whether direction and magnitude of each row of the weight are learned separately (DoRA, Liu et al. 2024).
  public var usesMagnitude = false
  public var initialization = Initialization.standard

  public static let allLinear = "all-linear"

  public enum Initialization: String, Sendable, Codable, CaseIterable {
    /// A uniform in ±1/√in, B 0.
    case standard = "default"
    /// A normal with standard deviation 1/r, B 0.
    case gaussian
    /// B·A is the best approximation of the weight at this rank, which is subtracted from the weight (PiSSA, Meng
    /// et al. 2024).
    case pissa
  }

  public init(
    rank: Int = 16, alpha: Float = 32, dropout: Float = 0, targets: [String] = [LoRAConfiguration.allLinear],
    usesRankStabilization: Bool = false, usesMagnitude: Bool = false, initialization: Initialization = .standard
  ) {
    (self.rank, self.alpha, self.dropout, self.targets) = (rank, alpha, dropout, targets)
    (self.usesRankStabilization, self.usesMagnitude) = (usesRankStabilization, usesMagnitude)
    self.initialization = initialization
  }

  /// s = α/r, or α/√r.
  public var scale: Float { alpha / (usesRankStabilization ? Float(rank).squareRoot() : Float(rank)) }

  /// Throws an error for the first invalid field.
  public func validate() throws(AdapterError) {
    if rank < 1 { throw .setting(field: "rank", problem: "\(rank) is less than 1") }
    if !(alpha > 0 && alpha.isFinite) { throw .setting(field: "alpha", problem: "\(alpha) is not a positive number") }
    if !(dropout >= 0 && dropout < 1) { throw .setting(field: "dropout", problem: "\(dropout) is not in 0..<1") }
    if targets.isEmpty { throw .setting(field: "targets", problem: "no layers are named") }
    if initialization == .pissa && usesMagnitude {
      throw .setting(field: "initialization", problem: "pissa cannot be combined with learned magnitudes (DoRA)")
    }
  }

  /// Whether the layer at a path gets an adapter.
  package func targets(_ path: String) -> Bool {
    targets.contains { target in
      target == LoRAConfiguration.allLinear
        ? !LoRAConfiguration.outputLayers.contains { path == $0 || path.hasSuffix("." + $0) }
        : path == target || path.hasSuffix("." + target)
    }
  }

  /// The layers that `all-linear` leaves out, by their names in Hugging Face's models.
  private static let outputLayers = ["lm_head", "score"]
}

/// Why adapters cannot be created or used.
public enum AdapterError: Error, Equatable, Sendable, CustomStringConvertible {
  case setting(field: String, problem: String)
  /// No layer has one of these names.
  case noTarget(targets: [String], layers: [String])
  case rank(path: String, rank: Int, shape: String)
  case unknown(name: String, known: [String])
  case exists(name: String)

  public var description: String {
    switch self {
    case .setting(let field, let problem): "\(field): \(problem)"
    case .noTarget(let targets, let layers):
      "targets: no linear layer is named \(targets.joined(separator: " or ")); the model's are named "
        + layers.joined(separator: ", ")
    case .rank(let path, let rank, let shape):
      "rank: \(rank) is more than the layer \(path) of shape \(shape) has"
    case .unknown(let name, let known):
      "the model has no adapter \"\(name)\"" + (known.isEmpty ? "" : " (it has \(known.joined(separator: ", ")))")
    case .exists(let name): "the model has an adapter \"\(name)\" already"
    }
  }
}
