import NablaFormats

// Of models that are judged, the best is kept, so that a run that overfits leaves the model from before it did.
extension TrainingRun {
  private static func bestFolder(_ run: RunFolder) -> String { "\(run.path)/\(BestModel.folderName)" }
  private static func modelFolder(_ run: RunFolder) -> String { "\(run.path)/model" }

  /// The best model of a run that continues after `step` steps; those of later steps count no more.
  static func best(in run: RunFolder, at step: Int) throws -> BestModel? {
    if let best = try BestModel.read(in: bestFolder(run)) {
      // What was judged after that step will be again.
      if best.step <= step { return best.lastStep <= step ? best : BestModel(step: best.step, value: best.value) }
      try AtomicFolder.remove(bestFolder(run))
    }
    // Of a run that was finished, the best may be what it left as its model.
    guard let best = try BestModel.read(in: modelFolder(run)), best.step <= step else { return nil }
    return best.lastStep <= step ? best : BestModel(step: best.step, value: best.value)
  }

  /// Keeps the model if it is the best so far; of equals the last, which has seen the most.
  func judge(_ value: Double) throws {
    let (step, folder) = (trainer.progress.done, Self.bestFolder(self.folder))
    if var best, best.value < value {
      (best.lastStep, best.lastValue) = (step, value)
      self.best = best
      // Without a folder of its own it is that of an earlier end of the run.
      if let kept = [folder, Self.modelFolder(self.folder)].first(where: pathExists) { try best.write(in: kept) }
      return
    }
    best = BestModel(step: step, value: value)
    // That of the last step is the run's model itself.
    if trainer.progress.isFinished {
      if pathExists(folder) { try AtomicFolder.remove(folder) }
    } else {
      try AtomicFolder.write(to: folder) { temporary in
        try trainer.saveModel(to: temporary)
        try best?.write(in: temporary)
      }
    }
  }

  /// Leaves the best model as the run's.
  func finishModel() throws {
    let (kept, target) = (Self.bestFolder(folder), Self.modelFolder(folder))
    if let best, best.isEarlier {
      // Without a folder of its own it is that of an earlier end of the run, which stays.
      guard pathExists(kept) else { return try best.write(in: target) }
      return try AtomicFolder.write(to: target) { temporary in
        for name in try folderEntries(kept) {
          try MappedFile(path: "\(kept)/\(name)").withBytes {
            try AtomicFile.write(Array($0), to: "\(temporary)/\(name)")
          }
        }
        try best.write(in: temporary)
      }
    }
    try AtomicFolder.write(to: target) { temporary in
      try trainer.saveModel(to: temporary)
      try best?.write(in: temporary)
    }
  }
}
