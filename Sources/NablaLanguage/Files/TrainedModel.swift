import NablaFormats
import NablaText
import NablaTraining

/// Finds the model that a user means by a path.
public enum TrainedModel {
  /// - Parameter path: a run folder (its finished model, or else its newest good checkpoint) or a model folder.
  public static func load(
    _ path: String, precision: Precision = .automatic
  ) throws -> (model: TransformerLM, tokenizer: any Tokenizer) {
    let folder = try modelFolder(path)
    let model = try ModelFolder.load(folder)
    model.computeType = precision.computeType
    let tokenizer = try TokenizerFolder.load(folder)
    guard tokenizer.vocabularySize <= model.configuration.vocabularySize else {
      throw ModelFolderError(
        file: "\(folder)/\(TokenizerFolder.fileName)",
        problem: "the tokenizer has \(tokenizer.vocabularySize) tokens, the model "
          + "\(model.configuration.vocabularySize)")
    }
    return (model, tokenizer)
  }

  /// The model folder that a path means.
  static func modelFolder(_ path: String) throws -> String {
    let run: RunFolder
    do {
      run = try RunFolder.open(path)
    } catch let error as RunFolderError where error.kind == .modelFolder {
      return path
    } catch let error as RunFolderError where error.kind == .notARun {
      throw ModelFolderError(
        file: path, problem: "neither a training run nor a model: it has no config.json of one or the other")
    }
    if let finished = try? JSONValue(contentsOfFile: "\(run.path)/model/config.json"), finished.object != nil {
      return "\(run.path)/model"
    }
    let (checkpoint, rejected) = try CheckpointStore.newestValid(in: run.checkpointsPath)
    guard let checkpoint else {
      if let first = rejected.first { throw first }
      throw PretrainingError.noCheckpoint(path: path)
    }
    return checkpoint.path
  }
}
