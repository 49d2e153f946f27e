import FoundationEssentials
import NablaFormats
import NablaTensor

extension Agent {
  /// `policy.json`: the description of a policy, without its parameters.
  private struct Description: Codable {
    var architecture: PolicyArchitecture
    var observationClip: Float
    var observationStatistics: RunningStatistics?
  }

  /// Writes `policy.json` and `policy.safetensors` into an existing folder.
  public func save(to folder: String) throws {
    let description = Description(
      architecture: architecture, observationClip: observationClip, observationStatistics: observationStatistics)
    let encoder = JSONEncoder.keepingNonFinite
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(
      String(decoding: encoder.encode(description), as: UTF8.self) + "\n", to: "\(folder)/policy.json")
    var tensors: [String: Tensor] = [:]
    for parameter in network.parameters() { tensors[parameter.name] = parameter.value }
    try SafetensorsFile.write(tensors, to: "\(folder)/policy.safetensors")
  }

  /// Reads what ``save(to:)`` wrote.
  /// - Throws: `FileError`, or ``LearningError/badState(_:)`` that names the file.
  public convenience init(contentsOf folder: String) throws {
    let path = "\(folder)/policy.json"
    let file = try MappedFile(path: path)
    let description: Description
    do {
      description = try JSONDecoder.keepingNonFinite.decode(Description.self, from: file.withBytes { Data($0) })
    } catch {
      throw LearningError.badState("\(path) does not describe a policy: \(error)")
    }
    let architecture = description.architecture
    guard
      (1...1 << 20).contains(architecture.observationCount), (1...1 << 20).contains(architecture.actionSpace.count),
      architecture.hiddenWidths.count <= 16, architecture.hiddenWidths.allSatisfy({ (1...1 << 14).contains($0) }),
      description.observationStatistics.map({ $0.mean.count == architecture.observationCount }) ?? true
    else { throw LearningError.badState("\(path) describes a policy with impossible sizes") }
    var random = RandomSource(seed: 0)
    let network = ActorCritic(architecture, random: &random)
    do {
      try network.load(SafetensorsFile(path: "\(folder)/policy.safetensors").tensors())
    } catch {
      throw LearningError.badState("\(folder)/policy.safetensors: \(error)")
    }
    self.init(
      network, observationStatistics: description.observationStatistics, observationClip: description.observationClip)
  }
}
