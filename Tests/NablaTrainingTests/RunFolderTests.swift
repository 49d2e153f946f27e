import Glibc
import NablaFormats
import NablaTraining
import Testing

private struct Settings: Codable, Equatable {
  var width = 8
  var rate = 3e-4
  var name = "a/b ∇"
}

@Suite struct RunFolderTests {
  @Test func createsAndOpens() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/deep/run"
      let run = try RunFolder.create(at: path, command: "pretrain", configuration: Settings())
      #expect(try folderEntries(path) == ["checkpoints", "config.json", "samples"])
      let opened = try RunFolder.open(path)
      #expect(opened.command == "pretrain")
      #expect(try opened.configuration(as: Settings.self) == Settings())
      #expect(try run.writeSample(RunSample(text: "once upon"), step: 20) == "\(path)/samples/step-00000020.txt")
      #expect(try readText("\(path)/samples/step-00000020.txt") == "once upon")
      let error = #expect(throws: RunFolderError.self) { try opened.configuration(as: [Int].self) }
      #expect(error?.description.contains("config.json") == true)
    }
  }

  @Test func refusesFoldersInUse() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("x", to: "\(folder)/thesis.txt")
      let busy = #expect(throws: RunFolderError.self) {
        try RunFolder.create(at: folder, command: "sft", configuration: Settings())
      }
      #expect(busy?.kind == .notEmpty("thesis.txt"))
      #expect(try folderEntries(folder) == ["thesis.txt"])

      _ = try RunFolder.create(at: "\(folder)/run", command: "sft", configuration: Settings())
      let taken = #expect(throws: RunFolderError.self) {
        try RunFolder.create(at: "\(folder)/run", command: "sft", configuration: Settings())
      }
      #expect(taken?.kind == .alreadyARun)

      try createFolders("\(folder)/empty")
      _ = try RunFolder.create(at: "\(folder)/empty", command: "sft", configuration: Settings())
      #expect(throws: FileError.self) {
        try RunFolder.create(at: "\(folder)/thesis.txt", command: "sft", configuration: Settings())
      }
    }
  }

  @Test func saysWhatAFolderIsInstead() throws {
    try withTemporaryFolder { folder in
      func kind(_ config: String?) throws -> RunFolderError.Kind? {
        try createFolders("\(folder)/x")
        if let config { try AtomicFile.write(config, to: "\(folder)/x/config.json") }
        return #expect(throws: RunFolderError.self) { try RunFolder.open("\(folder)/x") }?.kind
      }
      #expect(try kind(nil) == .notARun)
      #expect(try kind(#"{"model_type": "llama"}"#) == .modelFolder)
      #expect(try kind("{}") == .notARun)
      #expect(try kind(#"{"formatVersion": 9, "command": "sft", "configuration": {}}"#) == .otherVersion(9))
      #expect(#expect(throws: RunFolderError.self) { try RunFolder.open("\(folder)/none") }?.kind == .missing)
      try AtomicFile.write("{", to: "\(folder)/x/config.json")
      let error = #expect(throws: JSONError.self) { try RunFolder.open("\(folder)/x") }
      #expect(error?.file == "\(folder)/x/config.json")
    }
  }

  @Test func oneWriterAtATime() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/run"
      var writer: RunFolder? = try RunFolder.create(at: path, command: "dpo", configuration: Settings())
      withExtendedLifetime(writer) {
        let error = #expect(throws: RunFolderError.self) { try RunFolder.openForWriting(path) }
        #expect(error?.kind == .inUse)
        _ = #expect(throws: Never.self) { try RunFolder.open(path) }
      }
      writer = nil
      try AtomicFile.write("x", to: "\(path)/.metrics.jsonl.temporary-x")
      _ = try RunFolder.openForWriting(path)
      #expect(try folderEntries(path) == ["checkpoints", "config.json", "samples"])
    }
  }

  @Test func namesRunsByDateAndNumber() async throws {
    // The working directory belongs to the whole process, hence a process of its own.
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        precondition(chdir(folder) == 0)
        let paths = try (0..<3).map { _ in
          try RunFolder.create(command: "grpo", configuration: Settings()).path
        }
        let pattern = #/runs/grpo-20[0-9]{2}-[01][0-9]-[0-3][0-9]-(?<number>[0-9]+)/#
        let numbers = try paths.map { try pattern.wholeMatch(in: $0)?.output.number }
        precondition(numbers == ["1", "2", "3"], "\(paths)")
      }
    }
  }
}
