import Foundation
import NablaText

/// What Hugging Face `tokenizers` gives; made by Tests/Fixtures/generate/tokenizers_fixture.py.
struct TokenizerFixture: Decodable {
  var merges: [String]
  var corpus_ids: [Int32]
  var texts: [String]
  var text_ids: [[Int32]]
  var words: [String: [[String]]]
  var tinyshakespeare: Digests

  var transformers: Saved

  /// Texts with the ids of the tokenizer saved in Tests/Fixtures/text/transformers.
  struct Saved: Decodable {
    var texts: [String]
    var ids: [[Int32]]
    var special: [String]
  }

  struct Digests: Decodable {
    var merges: String
    var ids: String
    var count: Int
  }

  static let shared = try! JSONDecoder().decode(
    TokenizerFixture.self, from: Data(contentsOf: URL(fileURLWithPath: Fixtures.text + "/tokenizers.json")))
  static let corpus = try! String(contentsOfFile: Fixtures.text + "/corpus.txt", encoding: .utf8)
}

enum Fixtures {
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let text = package + "/Tests/Fixtures/text"

  /// Tiny Shakespeare (1.1 MB), which is not part of the repository: nil where it is absent.
  static let tinyShakespeare: String? = try? String(
    contentsOfFile: package + "/../shared/data/tinyshakespeare.txt", encoding: .utf8)

  /// Runs `body` with a new folder, and removes it.
  @discardableResult
  static func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
    let folder = NSTemporaryDirectory() + "nabla-text-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }
}
