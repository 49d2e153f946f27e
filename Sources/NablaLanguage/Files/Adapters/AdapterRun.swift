import NablaFormats
import NablaTraining

/// A run that trained an adapter on a base model: the fields of its `config.json`, and the location of its newest
/// adapter.
public struct AdapterRun: Sendable {
  /// The base model's file or folder, even if it has moved along with the run (`RunFolder.located`).
  public let base: String
  /// The type that the base's layers were quantized to for training.
  public let quantization: BaseQuantization
  /// A PEFT folder.
  public let adapter: String
  /// The chat template that the run was trained with in place of the base's own.
  public let chatTemplate: String?

  /// The common fields of these runs' configurations.
  private struct Description: Decodable {
    struct Source: Decodable {
      var base: String
      var quantization: BaseQuantization
      /// What the run was given, or the run that it started from.
      var template: String?
    }
    /// Of runs that read rows: what the run itself was given.
    struct Data: Decodable { var template: String? }
    var source: Source
    var data: Data?
  }

  /// - Returns: nil if `path` is not a run, or one that trained no adapter.
  public init?(_ path: String) throws {
    guard let run = try? RunFolder.open(path), let description = try? run.configuration(as: Description.self) else {
      return nil
    }
    let named = description.source.base
    (base, quantization) = (RunFolder.located(named, of: path) ?? named, description.source.quantization)
    chatTemplate = description.source.template ?? description.data?.template
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
