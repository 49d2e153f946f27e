import Glibc
import NablaFormats
import NablaTraining
import Testing

@Suite struct CheckpointTests {
  private func save(_ store: CheckpointStore, _ step: Int, metric: Double? = nil) throws {
    try store.save(step: step, metric: metric) { folder in
      try AtomicFile.write([UInt8](repeating: UInt8(step % 256), count: 300), to: "\(folder)/model.safetensors")
      try createFolders("\(folder)/optimizer")
      try AtomicFile.write("{\"step\":\(step)}", to: "\(folder)/optimizer/state.json")
    }
  }

  @Test func savesAndFindsTheNewest() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: "\(folder)/run/checkpoints")
      #expect(try CheckpointStore.newestValid(in: store.folder).checkpoint == nil)
      for step in [0, 100, 200] { try save(store, step, metric: Double(step) / 7) }
      #expect(try folderEntries(store.folder) == ["step-00000100", "step-00000200"])

      let (checkpoint, rejected) = try CheckpointStore.newestValid(in: store.folder)
      let newest = try #require(checkpoint)
      #expect(newest.step == 200 && newest.metric == 200.0 / 7 && rejected.isEmpty)
      #expect(try readText(newest.file("optimizer/state.json")) == "{\"step\":200}")
    }
  }

  @Test func keepsTheBest() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder, newestCount: 2, keepsBest: true)
      for (step, metric) in [(1, 3.0), (2, 1.0), (3, 2.0), (4, .nan), (5, 1.5), (6, 1.0), (7, 4.0), (8, 4.0)] {
        try save(store, step, metric: metric)
        if step == 5 { #expect(try CheckpointStore.steps(in: folder) == [2, 4, 5]) }
      }
      #expect(try CheckpointStore.steps(in: folder) == [6, 7, 8])
    }
  }

  @Test func savingAStepAgainReplacesIt() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 5, metric: 1)
      try store.save(step: 5) { try AtomicFile.write("other", to: "\($0)/other") }
      #expect(try folderEntries(folder) == ["step-00000005"])
      #expect(try folderEntries("\(folder)/step-00000005") == ["manifest.json", "other"])
      #expect(try CheckpointStore.newestValid(in: folder).checkpoint?.step == 5)
    }
  }

  /// Any flipped bit in any file, the manifest included, is noticed, and the previous checkpoint serves.
  @Test func noticesEveryFlippedByte() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1, metric: 0.5)
      try save(store, 2, metric: 0.25)
      var random = SplitMix(state: 1)
      for name in ["manifest.json", "model.safetensors", "optimizer/state.json"] {
        let path = "\(folder)/step-00000002/\(name)"
        let bytes = try readBytes(path)
        let positions =
          name == "manifest.json"
          ? Array(bytes.indices) : (0..<40).map { _ in bytes.indices.randomElement(using: &random)! }
        for position in positions {
          var damaged = bytes
          damaged[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
          try overwrite(path, damaged)
          let (checkpoint, rejected) = try CheckpointStore.newestValid(in: folder)
          #expect(checkpoint?.step == 1 && rejected.count == 1, "\(name), byte \(position)")
        }
        try overwrite(path, bytes)
      }
      #expect(try CheckpointStore.newestValid(in: folder).checkpoint?.step == 2)
    }
  }

  @Test func noticesTruncationAndLoss() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1)
      try save(store, 2)
      for name in ["manifest.json", "model.safetensors", "optimizer/state.json"] {
        let path = "\(folder)/step-00000002/\(name)"
        let bytes = try readBytes(path)
        for count in [0, 1, bytes.count / 2, bytes.count - 1] {
          try overwrite(path, Array(bytes[..<count]))
          #expect(try CheckpointStore.newestValid(in: folder).checkpoint?.step == 1, "\(name) cut to \(count)")
        }
        unlink(path)
        let (checkpoint, rejected) = try CheckpointStore.newestValid(in: folder)
        #expect(checkpoint?.step == 1)
        #expect(rejected.first?.description.contains("step-00000002") == true)
        try overwrite(path, bytes + [0])
        #expect(try CheckpointStore.newestValid(in: folder).checkpoint?.step == 1)
        try overwrite(path, bytes)
      }
      #expect(try CheckpointStore.newestValid(in: folder).checkpoint?.step == 2)
    }
  }

  @Test func saysWhyAndThatNothingIsLeft() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1)
      try overwrite("\(folder)/step-00000001/model.safetensors", [UInt8](repeating: 9, count: 300))
      let (checkpoint, rejected) = try CheckpointStore.newestValid(in: folder)
      #expect(checkpoint == nil)
      #expect(rejected.map(\.reason) == ["model.safetensors was changed: its SHA-256 differs"])
      #expect(throws: CheckpointError.self) { try Checkpoint(verifying: "\(folder)/step-00000001") }
    }
  }

  /// A whole checkpoint under another step's name is not that step.
  @Test func noticesARenamedCheckpoint() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1)
      try save(store, 2)
      #expect(rename("\(folder)/step-00000001", "\(folder)/step-00000003") == 0)
      let (checkpoint, rejected) = try CheckpointStore.newestValid(in: folder)
      #expect(checkpoint?.step == 2 && rejected.map(\.reason) == ["its manifest is of step 1"])
    }
  }

  /// The states a kill can leave: a temporary without manifest, a temporary with one, a half-removed old checkpoint.
  @Test func survivesAKillAtAnyPoint() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1)
      try save(store, 2)
      let whole = "\(folder)/.step-00000003.temporary-b"
      try save(store, 3)
      #expect(rename("\(folder)/step-00000003", whole) == 0)
      try createFolders("\(folder)/.step-00000003.temporary-a")
      try overwrite("\(folder)/.step-00000003.temporary-a/model.safetensors", [1, 2, 3])
      try createFolders("\(folder)/step-00000004")  // a name without contents
      try overwrite("\(folder)/step-00000004/model.safetensors", [1])

      let (checkpoint, rejected) = try CheckpointStore.newestValid(in: folder)
      #expect(checkpoint?.step == 2)
      #expect(rejected.map(\.reason) == ["it has no manifest.json: it was not finished"])

      let reopened = try CheckpointStore(folder: folder)
      #expect(try folderEntries(folder) == ["step-00000002", "step-00000004"])
      try reopened.discard(after: 2)
      #expect(try folderEntries(folder) == ["step-00000002"])
    }
  }

  @Test func aFullDiskLeavesThePreviousOneIntact() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1)
      let error = try #require(throws: CheckpointSaveError.self) {
        try store.save(step: 2) { temporary in
          try AtomicFile.write("part", to: "\(temporary)/part")
          try FileWriter(path: "/dev/full").write([UInt8](repeating: 0, count: 1 << 20))
        }
      }
      let message = error.description
      #expect(message.contains("step 2") && message.contains("disk is full") && message.contains("step 1 is intact"))
      #expect((error.cause as? FileError)?.isDiskFull == true)
      #expect(try folderEntries(folder) == ["step-00000001"])
      #expect(try CheckpointStore.newestValid(in: folder).checkpoint?.step == 1)
    }
  }

  @Test func rejectsAnotherFormatVersion() throws {
    try withTemporaryFolder { folder in
      let store = try CheckpointStore(folder: folder)
      try save(store, 1)
      let path = "\(folder)/step-00000001/manifest.json"
      let text = try readText(path).replacing("\"formatVersion\": 1", with: "\"formatVersion\": 2")
      try overwrite(path, Array(text.utf8))
      let rejected = try CheckpointStore.newestValid(in: folder).rejected
      #expect(rejected.first?.reason == "its format version is 2; this program reads version 1")
    }
  }
}
