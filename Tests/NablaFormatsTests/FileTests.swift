import Foundation
import Glibc
import NablaFormats
import Testing

@Suite struct FileTests {
  @Test func replacesAFileWhole() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/file"
      try AtomicFile.write("old", to: path)
      #expect(throws: CancellationError.self) {
        try AtomicFile.write(to: path) { writer in
          try writer.write("half")
          throw CancellationError()
        }
      }
      #expect(try readText(path) == "old")
      try AtomicFile.write("new", to: path)
      #expect(try readText(path) == "new")
      #expect(try folderEntries(folder) == ["file"])
    }
  }

  @Test(.timeLimit(.minutes(1))) func aPipeThatNobodyWritesToIsEmpty() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/config.json"
      #expect(mkfifo(path, 0o600) == 0)
      let file = try MappedFile(path: path)
      #expect(file.count == 0)
    }
  }

  @Test func aPipeIsReadToItsEnd() throws {
    var pair: [Int32] = [0, 0]
    #expect(pipe(&pair) == 0)
    let ends = pair
    defer { close(ends[0]) }
    let writer = Thread {
      for part in ["a slow", " writer"] {
        usleep(20_000)
        _ = part.withCString { write(ends[1], $0, strlen($0)) }
      }
      close(ends[1])
    }
    writer.start()
    #expect(try readText("/dev/fd/\(ends[0])") == "a slow writer")
  }

  @Test func namesTheFileInErrors() throws {
    let error = #expect(throws: FileError.self) { try AtomicFile.write("x", to: "/no/such/folder/file") }
    #expect(error.map { "\($0)" } == "cannot create /no/such/folder/file: No such file or directory")
  }

  /// /dev/full is a file on a disk without room.
  @Test(arguments: [10, 100_000]) func reportsAFullDisk(byteCount: Int) throws {
    let error = #expect(throws: FileError.self) {
      let writer = try FileWriter(path: "/dev/full")
      try writer.write([UInt8](repeating: 0, count: byteCount))
      try writer.close(synchronizing: false)
    }
    #expect(error?.isDiskFull == true && error.map { "\($0)" }?.contains("the disk is full") == true)
  }

  @Test func writerKeepsOrderAcrossSizes() throws {
    try withTemporaryFolder { folder in
      var expected: [UInt8] = []
      let writer = try FileWriter(path: "\(folder)/file")
      for (index, count) in [1, 65_535, 1, 65_536, 7, 200_000, 0, 65_530, 10].enumerated() {
        let piece = [UInt8](repeating: UInt8(index), count: count)
        expected += piece
        try writer.write(piece)
      }
      #expect(writer.byteCount == expected.count)
      try writer.close(synchronizing: true)
      #expect(try readBytes("\(folder)/file") == expected)
      let more = try FileWriter(path: "\(folder)/file", mode: .append)
      try more.write("end")
      try more.close(synchronizing: false)
      #expect(try readBytes("\(folder)/file") == expected + Array("end".utf8))
    }
  }

  @Test func replacesAFolderWhole() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/step"
      for text in ["one", "two"] {
        try AtomicFolder.write(to: path) { temporary in
          try createFolders("\(temporary)/inner/deep")
          try AtomicFile.write(text, to: "\(temporary)/inner/deep/file")
          try AtomicFile.write(text, to: "\(temporary)/only-\(text)")
        }
        #expect(try folderEntries(path) == ["inner", "only-\(text)"])
        #expect(try readText("\(path)/inner/deep/file") == text)
      }
      #expect(throws: FileError.self) {
        try AtomicFolder.write(to: path) { temporary in
          try AtomicFile.write("three", to: "\(temporary)/file")
          try FileWriter(path: "/dev/full").write([UInt8](repeating: 0, count: 1 << 17))
        }
      }
      #expect(try folderEntries(folder) == ["step"])
      #expect(try readText("\(path)/only-two") == "two")
    }
  }

  @Test func removesOnlyTheLeftoversOfTheDead() throws {
    try withTemporaryFolder { folder in
      try createFolders("\(folder)/.step-1.temporary-abc/inner")
      try AtomicFile.write("x", to: "\(folder)/.step-1.temporary-abc/inner/file")
      try AtomicFile.write("x", to: "\(folder)/.file.temporary-def")
      try AtomicFile.write("x", to: "\(folder)/keep")
      try AtomicFolder.write(to: "\(folder)/step-2") { temporary in
        // While its writer lives, a temporary is not a leftover.
        let removed = try AtomicFolder.removeLeftovers(in: folder)
        #expect(removed == [".file.temporary-def", ".step-1.temporary-abc"])
        #expect(pathExists(temporary))
      }
      #expect(try folderEntries(folder) == ["keep", "step-2"])
    }
  }

  @Test func removingATreeDoesNotFollowLinks() throws {
    try withTemporaryFolder { folder in
      try createFolders("\(folder)/outside")
      try AtomicFile.write("x", to: "\(folder)/outside/file")
      try createFolders("\(folder)/tree")
      #expect(symlink("\(folder)/outside", "\(folder)/tree/link") == 0)
      try removeTree("\(folder)/tree")
      #expect(try folderEntries(folder) == ["outside"])
      #expect(pathExists("\(folder)/outside/file"))
    }
  }

  @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/", "a"), ("./a", "."), ("/", "/")])
  func parents(path: String, parent: String) {
    #expect(parentFolder(of: path) == parent)
  }

  /// Vectors of FIPS 180-4, from NIST's examples.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func sha256(text: String, digest: String) throws {
    #expect(SHA256.hexadecimal(of: Array(text.utf8)) == digest)
    try withTemporaryFolder { folder in
      try AtomicFile.write(text, to: "\(folder)/file")
      #expect(try SHA256.hexadecimal(ofFile: "\(folder)/file") == digest)
    }
  }
}
