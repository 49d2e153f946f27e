import NablaFormats
import NablaTraining

/// The same training with several seeds or algorithms, one after the other: each has its own run in a
/// folder within the study's, and a report compares them.
public final class PolicyStudy {
  public struct Setup: Codable, Sendable {
    public var environment: String
    public var members: [Member]
  }

  public struct Member: Codable, Sendable {
    /// Within the study's folder.
    public var folder: String
    public var setup: PolicySetup
  }

  public let setup: Setup
  public let run: RunFolder

  /// A new study of every setup with every seed.
  public init(_ setups: [PolicySetup], seeds: [UInt64], output: String? = nil) throws {
    let members = setups.flatMap { setup in
      seeds.map { seed in
        var setup = setup
        setup.settings.seed = seed
        return Member(folder: "\(setup.algorithm)-seed-\(seed)", setup: setup)
      }
    }
    for member in members {
      try member.setup.validate(for: EnvironmentDescription.named(member.setup.environment).actionSpace)
    }
    setup = Setup(environment: members[0].setup.environment, members: members)
    run = try RunFolder.create(at: output, command: "rl", configuration: setup)
  }

  /// An existing study, to continue.
  public init(resuming path: String) throws {
    run = try RunFolder.openForWriting(path)
    setup = try run.configuration(as: Setup.self)
  }

  /// Whether a run folder is a study rather than a single run.
  public static func isStudy(_ path: String) -> Bool {
    (try? RunFolder.open(path).configuration(as: Setup.self)) != nil
  }

  /// The folders of a study's members.
  public static func members(of path: String) throws -> [String] {
    try RunFolder.open(path).configuration(as: Setup.self).members.map(\.folder)
  }

  public func path(of member: Member) -> String { "\(run.path)/\(member.folder)" }

  /// Trains every member that is not finished, until the condition holds; then writes the report. A member that
  /// diverges ends with a warning, and the others go on.
  ///
  /// - Parameters:
  ///   - isStopped: Checked before each update.
  ///   - observe: Receives the events of a member, number `number` of the study.
  /// - Returns: Whether all are finished.
  public func train(
    until isStopped: @escaping @Sendable () -> Bool = { false },
    observe: (_ member: Member, _ number: Int, _ event: RunEvent) throws -> Void = { _, _, _ in }
  ) throws -> Bool {
    var finished = 0
    for (number, member) in setup.members.enumerated() {
      let path = path(of: member)
      func tell(_ event: RunEvent) throws { try observe(member, number + 1, event) }
      do {
        let training =
          pathExists("\(path)/config.json")
          ? try PolicyTrainer.resume(path, observe: tell) : try TrainingRun(PolicyTrainer(member.setup), at: path)
        if training.trainer.progress.isFinished {
          finished += 1
          continue
        }
        if isStopped() { break }
        if try training.train(until: .when(isStopped), observe: tell) == .finished { finished += 1 }
      } catch let error where Self.isOfOneMember(error) {
        try tell(.warning("\(member.folder) did not finish: \(error)"))
      }
    }
    do {
      try Self.report(of: run).write(to: run)
    } catch {
      if let last = setup.members.last { try observe(last, 0, .warning("no report was written: \(error)")) }
    }
    return finished == setup.members.count
  }

  /// Whether an error comes from what a member learned or met, so that the others may do without it.
  private static func isOfOneMember(_ error: any Error) -> Bool {
    if case TrainingError.diverged = error { return true }
    return error is EnvironmentError
  }

  /// The mean return of the last 100 episodes of each member that has had any, by algorithm in order.
  public func results() throws -> [(algorithm: String, returns: SeedStatistics)] {
    var algorithms: [String] = []
    for member in setup.members where !algorithms.contains(member.setup.algorithm) {
      algorithms.append(member.setup.algorithm)
    }
    return try algorithms.compactMap { algorithm in
      let values = try setup.members.filter { $0.setup.algorithm == algorithm }.compactMap { member -> Double? in
        guard pathExists("\(path(of: member))/metrics.jsonl") else { return nil }
        return try MetricsRecord.readAll(folder: path(of: member)).compactMap { $0["charts/episodic_return"] }.last
      }.filter(\.isFinite)
      return values.isEmpty ? nil : (algorithm, SeedStatistics(values))
    }
  }
}
