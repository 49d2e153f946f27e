import FoundationEssentials
import NablaFormats
import NablaReport
import NablaTraining

/// What a trained agent does, for the report: its policy and values over two numbers of the state, one episode to play,
/// and where an update left the ratios. Training writes it into the run folder as `policy-analysis.json`.
public struct PolicyAnalysis: Codable, Sendable, Equatable {
  public var map: Map?
  public var replay: Replay?
  public var ratios: Ratios?

  public init(map: Map? = nil, replay: Replay? = nil, ratios: Ratios? = nil) {
    (self.map, self.replay, self.ratios) = (map, replay, ratios)
  }

  /// The policy and the value function on a grid of states. Row 0 is the lowest y.
  public struct Map: Codable, Sendable, Equatable {
    public struct Axis: Codable, Sendable, Equatable {
      public var name: String
      public var low: Double
      public var high: Double
      /// Cells along it.
      public var count: Int

      public init(name: String, low: Double, high: Double, count: Int) {
        (self.name, self.low, self.high, self.count) = (name, low, high, count)
      }
    }

    public var x: Axis
    public var y: Axis
    /// What holds of the other numbers of the state.
    public var remark: String
    /// [y, x]: V.
    public var values: [Float]
    /// The names of discrete actions; of continuous ones one name, of the number shown.
    public var actions: [String]
    /// [actions, y, x]: probabilities of discrete actions, or the mean of the first number of continuous ones.
    public var policy: [[Float]]
    /// The bounds of a continuous action; nil of discrete ones.
    public var bounds: [Float]?

    public init(
      x: Axis, y: Axis, remark: String, values: [Float], actions: [String], policy: [[Float]], bounds: [Float]? = nil
    ) {
      (self.x, self.y, self.remark, self.values) = (x, y, remark, values)
      (self.actions, self.policy, self.bounds) = (actions, policy, bounds)
    }
  }

  /// One episode, step by step.
  public struct Replay: Codable, Sendable, Equatable {
    /// What the page draws it as: the environment's name.
    public var environment: String
    /// [T + 1, O].
    public var observations: [[Float]]
    /// [T]: of a discrete action its index; of a continuous one its numbers.
    public var actions: [[Float]]
    /// [T].
    public var rewards: [Float]
    public var terminated: Bool
    /// How fast it is in the world it simulates.
    public var secondsPerStep: Double

    public init(
      environment: String, observations: [[Float]], actions: [[Float]], rewards: [Float], terminated: Bool,
      secondsPerStep: Double
    ) {
      (self.environment, self.observations, self.actions) = (environment, observations, actions)
      (self.rewards, self.terminated, self.secondsPerStep) = (rewards, terminated, secondsPerStep)
    }
  }

  /// How often each ratio π/π_old occurred after an update, apart by the sign of the advantage.
  public struct Ratios: Codable, Sendable, Equatable {
    public var clipRange: Double
    /// The ratios of the first and the last bin's outer edges; what lies beyond is in those bins.
    public var low: Double
    public var high: Double
    /// Samples a bin.
    public var positive: [Int]
    public var negative: [Int]

    /// Counts ratios in 48 bins over 1 ± 3 clip ranges.
    public init(clipRange: Double, ratios: [Float], advantages: [Float]) {
      self.clipRange = clipRange
      (low, high) = (max(0, 1 - 3 * clipRange), 1 + 3 * clipRange)
      positive = Array(repeating: 0, count: 48)
      negative = positive
      for (ratio, advantage) in zip(ratios, advantages) where ratio.isFinite && advantage != 0 {
        let place = (Double(ratio) - low) / (high - low) * 48
        let bin = min(max(Int(min(max(place, -1), 48)), 0), 47)
        if advantage > 0 { positive[bin] += 1 } else { negative[bin] += 1 }
      }
    }
  }
}

extension PolicyAnalysis {
  static let fileName = "policy-analysis.json"
  static func path(in run: RunFolder) -> String { "\(run.path)/\(fileName)" }

  /// Writes `policy-analysis.json` into the run folder, replacing the one that is there.
  public func write(to run: RunFolder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(Array(try encoder.encode(self)), to: Self.path(in: run))
  }

  /// What a run's file holds; nil when there is none that can be read.
  public static func read(from run: RunFolder) -> PolicyAnalysis? { try? PolicyAnalysis(contentsOfFile: path(in: run)) }

  /// Reads a file and checks that its parts fit together; nil when there is none.
  ///
  /// - Throws: ``ReportError`` that names the file and the part, or ``FileError``.
  package init?(contentsOfFile path: String) throws {
    guard pathExists(path) else { return nil }
    let bytes = try MappedFile(path: path).withBytes { Data($0) }
    do {
      self = try JSONDecoder().decode(PolicyAnalysis.self, from: bytes)
    } catch let error as DecodingError {
      throw ReportError(kind: .badAnalysis(file: path, place: error.place, problem: error.problem))
    }
    if let (place, problem) = misfit() {
      throw ReportError(kind: .badAnalysis(file: path, place: place, problem: problem))
    }
  }

  private func misfit() -> (place: String, problem: String)? {
    if let map {
      let cells = map.x.count.multipliedReportingOverflow(by: map.y.count)
      guard map.x.count > 0, map.y.count > 0, !cells.overflow, cells.partialValue == map.values.count else {
        return ("map.values", "\(map.values.count) numbers for \(map.x.count) × \(map.y.count) cells")
      }
      guard !map.actions.isEmpty, map.policy.count == map.actions.count,
        map.policy.allSatisfy({ $0.count == map.values.count })
      else { return ("map.policy", "does not have a number for each action and cell") }
      guard map.bounds.map({ $0.count == 2 }) ?? true else { return ("map.bounds", "is not two numbers") }
    }
    if let replay {
      guard replay.observations.count == replay.actions.count + 1, replay.rewards.count == replay.actions.count,
        Set(replay.observations.map(\.count)).count == 1
      else { return ("replay", "its observations, actions and rewards are not those of the same steps") }
    }
    if let ratios {
      guard ratios.positive.count == ratios.negative.count, ratios.positive.count > 0, ratios.low < ratios.high,
        ratios.clipRange > 0
      else { return ("ratios", "its bins do not fit together") }
    }
    return nil
  }
}
