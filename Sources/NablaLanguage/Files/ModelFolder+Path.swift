import NablaFormats
import NablaTraining

extension ModelFolder {
  /// The model folder for a path.
  static func path(of path: String) throws -> String {
    let run: RunFolder
    do {
      run = try RunFolder.open(path)
    } catch let error as RunFolderError where error.kind == .modelFolder {
      return path
    } catch let error as RunFolderError where error.kind == .missing {
      throw ModelFolderError(file: path, problem: "there is no file or folder with this name")
    } catch let error as RunFolderError where error.kind == .notARun {
      if [".json", ".safetensors"].contains(where: path.lowercased().hasSuffix) {
        throw ModelFolderError(file: path, problem: "is one file of a model folder: give the folder")
      }
      if pathExists("\(path)/config.json") {
        throw ModelFolderError(
          file: "\(path)/config.json",
          problem: "has no \"model_type\", so it is not a model's, and it is not that of a training run either")
      }
      if let name = (try? GGUFFile.names(in: path))?.first {
        throw ModelFolderError(
          file: path, problem: "has several GGUF files: name one of them, such as \(path)/\(name)")
      }
      throw ModelFolderError(
        file: path,
        problem: "neither a training run nor a model: it is not a GGUF file, and has no config.json of a run or a model"
      )
    }
    if let other = otherRuns[run.command] {
      throw ModelFolderError(file: path, problem: "is a run of 'nabla \(other)', which does not train a language model")
    }
    let finished = "\(run.path)/model"
    let isFinished = (try? JSONValue(contentsOfFile: "\(finished)/config.json"))?.object != nil
    if isFinished, !isExtended(run) { return finished }
    // While a run goes on: the newest model, unless an earlier one was found better. That may be what it was extended
    // from.
    for kept in ["\(run.path)/\(BestModel.folderName)", finished] {
      guard let best = try BestModel.read(in: kept) else { continue }
      if best.isEarlier { return kept }
      break
    }
    let (checkpoint, rejected) = try CheckpointStore.newestValid(in: run.checkpointsPath)
    guard let checkpoint else {
      if let first = rejected.first { throw first }
      throw TrainingError.noCheckpoint(path: path)
    }
    return checkpoint.path
  }

  /// Whether a run that was finished has been given more steps, and is not through with them.
  private static func isExtended(_ run: RunFolder) -> Bool {
    guard let training = run.configuration["training"], training["scheduleSteps"]?.integer != nil,
      let steps = training["steps"]?.integer, let done = (try? CheckpointStore.steps(in: run.checkpointsPath))?.last
    else { return false }
    return done < steps
  }

  /// Runs without a language model, by the command in their config.json, with what trains them.
  private static let otherRuns = ["rl": "rl train", "diffusion": "diffusion train"]
}
