import NablaFormats
import NablaTraining

/// A run that trained an adapter beside a base: what its `config.json` names, and where its newest adapter lies.
public struct AdapterRun: Sendable {
  /// The base model's file or folder.
  public let base: String
  /// The types that the base's layers were put into for training.
  public let quantization: BaseQuantization
  /// A PEFT folder.
  public let adapter: String
  /// The chat template that the run was given in place of the base's own.
  public let chatTemplate: String?

  /// What these runs have in common in their configuration.
  private struct Description: Decodable {
    struct Source: Decodable {
      var base: String
      var quantization: BaseQuantization
    }
    /// Of runs that read rows: what `--chat-template` was.
    struct Data: Decodable { var template: String? }
    var source: Source
    var data: Data?
  }

  /// - Returns: nil where `path` is no run, or one that trained no adapter.
  public init?(_ path: String) throws {
    guard let run = try? RunFolder.open(path), let description = try? run.configuration(as: Description.self) else {
      return nil
    }
    (base, quantization) = (description.source.base, description.source.quantization)
    chatTemplate = description.data?.template
    let finished = "\(run.path)/\(Self.folderName)"
    if AdapterFolder.isAdapter(finished) {
      adapter = finished
    } else if let newest = try CheckpointStore.newestValid(in: run.checkpointsPath).checkpoint,
      AdapterFolder.isAdapter(newest.file(Self.folderName))
    {
      adapter = newest.file(Self.folderName)
    } else {
      return nil
    }
  }

  /// Of the adapter in a run's folder and in its checkpoints.
  public static let folderName = "adapter"
}
