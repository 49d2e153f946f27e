import Foundation
import Nabla
import Testing

extension ToolTests {
  /// A run may end at any moment, by a signal, by force or for lack of space, and goes on with the same bits.
  @Suite struct Stopping {
    @Test(arguments: [SIGINT, SIGTERM]) func signalFinishesTheStepAndSaves(_ number: Int32) throws {
      try withFolder { folder in
        let run = folder + "/run"
        let child = try Tool.start(
          ["pretrain", folder + "/text.txt"] + Tool.tiny + ["--output", run, "--steps", "1000000"])
        try child.wait { _ in lastStep(run) > 3 }
        child.signal(number)
        let result = try child.finish()
        #expect(result.status == 0, "\(result.summary)")
        #expect(result.errors.contains("nabla pretrain --resume \(run)"), "\(result.summary)")
        let saved = try CheckpointStore.newestValid(in: run + "/checkpoints").checkpoint
        #expect(saved?.step == lastStep(run))
        #expect(FileManager.default.fileExists(atPath: run + "/report.html"))

        let resumed = try Tool.run(["pretrain", "--resume", run, "--stop-after", "\(lastStep(run) + 2)"])
        #expect(resumed.status == 0, "\(resumed.summary)")
        #expect(lastStep(run) == (saved?.step ?? 0) + 2)
      }
    }

    /// A conversion that is stopped leaves nothing.
    @Test func signalEndsConversion() throws {
      try Tool.growing { scale in
        try withFolder { folder in
          let run = folder + "/run"
          try Tool.train(
            folder + "/text.txt", output: run,
            [
              "--tokenizer", "bpe", "--vocabulary", "300", "--steps", "1", "--layers", "\(16 * scale)", "--width",
              "256",
              "--heads", "4",
            ])
          let child = try Tool.start(["convert", run, folder + "/out.gguf", "--type", "q4_K"])
          try child.wait { child in
            let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return files.contains { $0.hasPrefix(".out") } || !child.process.isRunning
          }
          child.signal(SIGINT)
          let result = try child.finish()
          if result.status == 0 { return false }
          #expect(result.status == 130 && result.errors.contains("nothing was written"), "\(result.summary)")
          #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["run", "text.txt"])
          return true
        }
      }
    }

    /// After the first signal the step is finished and many megabytes are saved; the second comes before that has ended.
    @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func secondSignalEndsAtOnce(_ number: Int32, _ status: Int32) throws {
      try Tool.growing { scale in
        try withFolder { folder in
          let child = try Tool.start(
            ["pretrain", folder + "/text.txt"] + Tool.tiny + [
              "--width", "512", "--heads", "8", "--layers", "8", "--batch-size", "\(64 * scale)", "--output",
              folder + "/run",
            ])
          // Before its first step has ended there is nothing to save, and the first signal ends it at once.
          let metrics = folder + "/run/metrics.jsonl"
          try child.wait { _ in (try? readText(metrics))?.contains("\"step\":1,") == true }
          try child.deliver(number)
          child.signal(number)
          let result = try child.finish()
          if result.status == 0 { return false }
          #expect(result.status == status, "\(result.summary)")
          #expect(!result.errors.contains("--resume"), "\(result.summary)")
          return true
        }
      }
    }

    @Test func killedAtAnyMomentResumesToTheSameBits() throws {
      let (steps, every, wanted) = (240, 3, 20)
      try withFolder { folder in
        let flags = ["--steps", "\(steps)", "--checkpoint-every", "\(every)", "--ema", "0.9", "--dropout", "0.1"]
        try Tool.train(folder + "/text.txt", output: folder + "/whole", flags)
        let reference = try weights(folder + "/whole")
        var random = SystemRandomNumberGenerator()
        var (kills, runs) = (0, 0)
        while kills < wanted || !FileManager.default.fileExists(atPath: "\(folder)/\(runs)/report.html") {
          var run = "\(folder)/\(runs)"
          if FileManager.default.fileExists(atPath: run + "/report.html") {
            runs += 1
            run = "\(folder)/\(runs)"
          }
          let isNew = !FileManager.default.fileExists(atPath: run + "/config.json")
          let before = isNew ? 0 : try CheckpointStore.newestValid(in: run + "/checkpoints").checkpoint?.step ?? 0
          let child = try Tool.start(
            isNew
              ? ["pretrain", folder + "/text.txt"] + Tool.tiny + flags + ["--output", run]
              : ["pretrain", "--resume", run])
          try child.wait { _ in FileManager.default.fileExists(atPath: run + "/config.json") }
          if kills < wanted {
            usleep(.random(in: 0..<250_000, using: &random))
            child.signal(SIGKILL)
          }
          let result = try child.finish()
          try #require(result.status == 0 || result.status == 137, "\(result.summary)")
          if result.status == 137 { kills += 1 }
          let (newest, rejected) = try CheckpointStore.newestValid(in: run + "/checkpoints")
          #expect(rejected.isEmpty, "a kill left a checkpoint that is not whole")
          #expect(newest?.step ?? 0 >= before)
          #expect(lastStep(run) - (newest?.step ?? 0) <= every, "more steps lost than since the last checkpoint")
        }
        for run in 0...runs {
          #expect(try weights("\(folder)/\(run)") == reference, "run \(run) of \(runs) after \(kills) kills")
          #expect(try losses("\(folder)/\(run)") == losses(folder + "/whole"))
        }
      }
    }

    @Test(arguments: ["truncated", "flipped", "missing"]) func damagedCheckpoint(_ damage: String) throws {
      try withFolder { folder in
        let (text, run) = (folder + "/text.txt", folder + "/run")
        let flags = ["--steps", "8", "--checkpoint-every", "2"]
        try Tool.train(text, output: folder + "/whole", flags)
        try Tool.train(text, output: run, flags + ["--stop-after", "6"])
        let file = run + "/checkpoints/step-00000006/model.safetensors"
        var bytes = try readBytes(file)
        switch damage {
        case "truncated": try write(Array(bytes.dropLast(100)), to: file)
        case "missing": unlink(file)
        default:
          bytes[bytes.count / 2] ^= 4
          try write(bytes, to: file)
        }
        let result = try Tool.run(["pretrain", "--resume", run])
        #expect(result.status == 0, "\(result.summary)")
        #expect(result.errors.contains("step-00000006 cannot be used"), "\(result.summary)")
        #expect(result.errors.contains("using an earlier one"), "\(result.summary)")
        #expect(result.errors.contains("after step 4"), "\(result.summary)")
        #expect(try weights(run) == weights(folder + "/whole"))
      }
    }

    @Test func noGoodCheckpointLeft() throws {
      try withFolder { folder in
        let run = folder + "/run"
        try Tool.train(folder + "/text.txt", output: run, ["--steps", "8", "--stop-after", "2"])
        try write([], to: run + "/checkpoints/step-00000002/manifest.json")
        for arguments in [["pretrain", "--resume", run], ["generate", run]] {
          let result = try Tool.run(arguments)
          #expect(result.status == 1, "\(result.summary)")
          #expect(result.errors.contains("checkpoint"), "\(result.summary)")
          #expect(result.errors.contains(run), "\(result.summary)")
        }
      }
    }

    @Test func changedTextIsRefusedUnlessAllowed() throws {
      try withFolder { folder in
        let (text, run) = (folder + "/text.txt", folder + "/run")
        try Tool.train(text, output: run, ["--steps", "4", "--stop-after", "2"])
        try write(Array((sentences + "More.\n").utf8), to: text)
        let refused = try Tool.run(["pretrain", "--resume", run])
        #expect(refused.status == 1, "\(refused.summary)")
        #expect(refused.errors.contains(text) && refused.errors.contains("--allow-other-data"), "\(refused.summary)")
        let allowed = try Tool.run(["pretrain", "--resume", run, "--allow-other-data"])
        #expect(allowed.status == 0, "\(allowed.summary)")
        #expect(lastStep(run) == 4)
      }
    }

    /// A limit on the size of files makes writing fail in the middle, as a full disk does.
    @Test func noRoomForACheckpoint() throws {
      try withFolder { folder in
        let (text, run) = (folder + "/text.txt", folder + "/run")
        let flags = ["--steps", "6", "--checkpoint-every", "2"]
        try Tool.train(text, output: folder + "/whole", flags)
        try Tool.train(text, output: run, flags + ["--stop-after", "2"])
        // In units of 512 bytes.
        let failed = try Tool.shell(#"ulimit -f 32; exec "$nabla" pretrain --resume "$1""#, [run])
        #expect(failed.status == 1, "\(failed.summary)")
        #expect(failed.errors.contains("step 4 was not saved"), "\(failed.summary)")
        #expect(failed.errors.contains("nabla pretrain --resume \(run)"), "\(failed.summary)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints") == ["step-00000002"])
        let resumed = try Tool.run(["pretrain", "--resume", run])
        #expect(resumed.status == 0, "\(resumed.summary)")
        #expect(try weights(run) == weights(folder + "/whole"))
      }
    }

    @Test func noRoomFromTheStart() throws {
      try withFolder { folder in
        let result = try Tool.shell(
          #"ulimit -f 0; exec "$nabla" pretrain "$@""#,
          [folder + "/text.txt", "--output", folder + "/run"] + Tool.tiny)
        // The messages are files here too: only the exit code can be seen.
        #expect(result.status == 1, "\(result.summary)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
    }

    @Test func aRunIsWrittenByOneProcess() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let child = try Tool.start(
          ["pretrain", folder + "/text.txt"] + Tool.tiny + ["--output", run, "--steps", "1000000"])
        try child.wait { _ in lastStep(run) > 0 }
        let second = try Tool.run(["pretrain", "--resume", run])
        #expect(second.status == 1 && second.errors.contains("another process"), "\(second.summary)")
        child.signal(SIGINT)
        #expect(try child.finish().status == 0)
      }
    }
  }
}

/// The last step that `metrics.jsonl` tells of.
private func lastStep(_ run: String) -> Int { (try? MetricsRecord.readAll(folder: run))?.last?.step ?? 0 }

/// The loss of every step, each once.
private func losses(_ run: String) throws -> [Double] {
  try MetricsRecord.readAll(folder: run).compactMap { $0["loss"] }
}
