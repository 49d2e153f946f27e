import Foundation
import NablaText
import Testing

@Suite struct TextCorpusTests {
  @Test func foldersAreReadInTheOrderOfPathsWithoutHiddenAndBinaryFiles() throws {
    try Fixtures.withTemporaryFolder { folder in
      for (name, bytes) in [
        ("b.txt", Array("bee".utf8)), ("a/z.txt", Array("zed".utf8)), ("a.txt", Array("ay".utf8)),
        ("a/.hidden", Array("no".utf8)), (".git/config", Array("no".utf8)), ("a/image.png", [0x89, 0x50, 0xFF]),
        ("zero.bin", [0x41, 0x00]), ("void.txt", []),
      ] { try Fixtures.write(bytes, to: folder + "/" + name) }
      let corpus = try TextCorpus.read([folder])
      #expect(corpus.documents.map { $0.path.dropFirst(folder.count + 1) } == ["a.txt", "a/z.txt", "b.txt"])
      #expect(corpus.documents.map(\.text) == ["ay", "zed", "bee"])
      #expect(corpus.byteCount == 8)
      #expect(
        corpus.skipped.map { "\($0.path.dropFirst(folder.count + 1)): \($0.reason)" } == [
          "a/image.png: binary: not UTF-8 at byte 0", "void.txt: empty", "zero.bin: binary: it has a zero byte",
        ])
      #expect(try TextCorpus.read([folder + "/"]).documents.map(\.path).last == folder + "/b.txt")
    }
  }

  /// Its own run in the folder of the text would change the text: `nabla pretrain .` could not be resumed.
  @Test func runsInAFolderAreSkipped() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Fixtures.write(Array("text".utf8), to: folder + "/a.txt")
      // Configurations of other programs are text like any other.
      let others = [#"{"model_type": "llama"}"#, #"{"command": "serve"}"#, "{", #"{"formatVersion": 1, "command": 2}"#]
      for (i, text) in others.enumerated() { try Fixtures.write(Array(text.utf8), to: folder + "/b\(i)/config.json") }
      let before = try TextCorpus.read([folder])
      #expect(before.documents.map(\.text) == ["text"] + others && before.skipped.isEmpty)
      let configuration = #"{"formatVersion": 1, "command": "sweep", "configuration": {}}"#
      for (name, text) in [("config.json", configuration), ("metrics.jsonl", "{}"), ("runs/01/report.html", "<p>")] {
        try Fixtures.write(Array(text.utf8), to: folder + "/runs/sweep-1/" + name)
      }
      let after = try TextCorpus.read([folder])
      #expect(after.documents == before.documents && after.contentHash() == before.contentHash())
      #expect(after.skipped.map(\.path) == [folder + "/runs/sweep-1"])
      #expect(after.skippedSummary == "skipped \(folder)/runs/sweep-1 (a training run)")
    }
  }

  @Test func linksToFoldersAreNotFollowedBelowTheFolderNamed() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Fixtures.write(Array("text".utf8), to: folder + "/in/a.txt")
      try FileManager.default.createSymbolicLink(atPath: folder + "/in/loop", withDestinationPath: folder + "/in")
      try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: folder + "/in")
      #expect(try TextCorpus.read([folder + "/link"]).documents.map(\.text) == ["text"])
    }
  }

  @Test(
    arguments: [
      ([0x41, 0xFF], 1), ([0xC3], 0), ([0xC3, 0x41], 0), ([0xC0, 0x80], 0), ([0x41, 0xE0, 0x80, 0x80], 1),
      ([0xE4, 0xB8, 0x96, 0xED, 0xA0, 0x80], 3), ([0xF0, 0x9F, 0x99], 0), ([0xF4, 0x90, 0x80, 0x80], 0),
      ([0xF0, 0x9F, 0x99, 0x82, 0x80], 4), ([0x42, 0xF5, 0x80, 0x80, 0x80], 1), ([0xEF, 0xBB, 0xBF, 0x41, 0xFE], 4),
    ] as [([UInt8], Int)])
  func aNamedFileMustBeUTF8(bytes: [UInt8], offset: Int) throws {
    try Fixtures.withTemporaryFolder { folder in
      let path = folder + "/bad.txt"
      try Fixtures.write(bytes, to: path)
      #expect(throws: CorpusError.notUTF8(path: path, offset: offset)) { try TextCorpus.read([path]) }
    }
  }

  @Test func missingAndEmptyFilesAreErrors() throws {
    try Fixtures.withTemporaryFolder { folder in
      let path = folder + "/empty.txt"
      try Fixtures.write([], to: path)
      #expect(throws: CorpusError.empty(path: path)) { try TextCorpus.read([path]) }
      #expect(throws: CorpusError.notFound(path: folder + "/none")) { try TextCorpus.read([folder + "/none"]) }
      #expect(throws: CorpusError.noText(paths: [folder], skippedCount: 1)) { try TextCorpus.read([folder]) }
      #expect(throws: CorpusError.noText(paths: [], skippedCount: 0)) { try TextCorpus.read([]) }
      #expect(throws: CorpusError.notAFile(path: "/dev/null")) { try TextCorpus.read(["/dev/null"]) }
    }
  }

  @Test func aByteOrderMarkIsDropped() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Fixtures.write([0xEF, 0xBB, 0xBF, 0x41], to: folder + "/a.txt")
      #expect(Array(try TextCorpus.read([folder + "/a.txt"]).documents[0].text.utf8) == [0x41])
    }
  }

  @Test func documentsAreSeparatedByEndOfText() throws {
    let corpus = TextCorpus(documents: [.init(path: "a", text: "x"), .init(path: "b", text: "y<|endoftext|>z")])
    #expect(try corpus.encode(with: ByteTokenizer()) == [120, 256, 121, 256, 122])
    #expect(try corpus.encode(with: ByteTokenizer(), recognizingSpecialTokens: false).count == 3 + 14)
    #expect(try corpus.encode(with: ByteTokenizer(specialTokens: [])).count == 2 + 14)
    let tokenizer = try CharacterTokenizer(corpus: ["xy"])
    let error = #expect(throws: CorpusError.self) { try corpus.encode(with: tokenizer) }
    #expect(error.map { "\($0)" }?.hasPrefix("b: the character \"z\"") == true)
  }

  @Test func theHashDependsOnContentAndItsDivision() {
    func hash(_ texts: String...) -> String {
      TextCorpus(documents: texts.map { .init(path: "p", text: $0) }).contentHash()
    }
    // printf '\x03\0\0\0\0\0\0\0abc' | sha256sum
    #expect(hash("abc") == "ce91dc5eec0139adf091900d225971d6ad246a845bad791b5693a9d0d55dd391")
    #expect(Set([hash("abc"), hash("ab", "c"), hash("c", "ab"), hash("abd"), hash()]).count == 5)
  }
}
