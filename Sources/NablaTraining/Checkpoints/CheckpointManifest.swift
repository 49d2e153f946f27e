import Glibc
import NablaFormats

/// The list of a checkpoint's files with their sizes and digests, written last: a checkpoint whose manifest verifies
/// is complete.
///
/// The manifest has a canonical form and contains a digest of itself, so any change to any byte of the folder is
/// detected.
struct CheckpointManifest: Equatable {
  static let fileName = "manifest.json"
  static let formatVersion = 1

  struct File: Equatable {
    /// Relative to the folder.
    var name: String
    var byteCount: Int
    var sha256: String
  }

  var step: Int
  var metric: Double?
  var files: [File]

  /// Describes the files below `folder`.
  init(describing folder: String, step: Int, metric: Double?) throws(FileError) {
    self.step = step
    self.metric = metric
    files = []
    for name in try Self.fileNames(in: folder) {
      let (byteCount, sha256) = try Self.measure("\(folder)/\(name)")
      files.append(File(name: name, byteCount: byteCount, sha256: sha256))
    }
  }

  /// Reads the manifest of a folder and checks its own digest; throws ``CheckpointError``.
  init(readingFrom folder: String) throws(CheckpointError) {
    func damaged(_ reason: String) -> CheckpointError { CheckpointError(path: folder, reason: reason) }
    let bytes: [UInt8]
    let json: JSONValue
    do {
      bytes = try MappedFile(path: "\(folder)/\(Self.fileName)").withBytes { Array($0) }
      json = try JSONValue(parsing: bytes)
    } catch let error as FileError {
      throw damaged(error.code == ENOENT ? "it has no \(Self.fileName): it was not finished" : "\(error)")
    } catch {
      throw damaged("\(Self.fileName): \(error)")
    }
    guard let version = json["formatVersion"]?.integer else { throw damaged("\(Self.fileName) has no format version") }
    guard version == Self.formatVersion else {
      throw damaged("its format version is \(version); this program reads version \(Self.formatVersion)")
    }
    guard let step = json["step"]?.integer, let list = json["files"]?.array else {
      throw damaged("\(Self.fileName) lacks a field")
    }
    self.step = step
    metric = json["metric"]?.double
    files = []
    for item in list {
      guard let name = item["name"]?.string, let byteCount = item["bytes"]?.integer,
        let sha256 = item["sha256"]?.string
      else { throw damaged("\(Self.fileName) lists a file without name, size or digest") }
      files.append(File(name: name, byteCount: byteCount, sha256: sha256))
    }
    guard serialized().utf8.elementsEqual(bytes) else { throw damaged("\(Self.fileName) was changed") }
  }

  /// Compares every file with its size and digest.
  func verify(_ folder: String) throws(CheckpointError) {
    func damaged(_ reason: String) -> CheckpointError { CheckpointError(path: folder, reason: reason) }
    do {
      // Names are matched against the folder's contents, never joined to a path: they cannot escape it.
      let present = Set(try Self.fileNames(in: folder))
      for file in files {
        guard present.contains(file.name) else { throw damaged("\(file.name) is missing") }
        let (byteCount, sha256) = try Self.measure("\(folder)/\(file.name)")
        guard byteCount == file.byteCount else {
          throw damaged("\(file.name) has \(byteCount) bytes instead of \(file.byteCount)")
        }
        guard sha256 == file.sha256 else { throw damaged("\(file.name) was changed: its SHA-256 differs") }
      }
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw damaged("\(error)")
    }
  }

  func serialized() -> String {
    var object = JSONObject([
      ("formatVersion", .integer(Self.formatVersion)),
      ("step", .integer(step)),
      ("metric", metric.map { .number($0) } ?? .null),
      (
        "files",
        .array(
          files.map { ["name": .string($0.name), "bytes": .integer($0.byteCount), "sha256": .string($0.sha256)] })
      ),
    ])
    let digest = SHA256.hexadecimal(of: Array(JSONValue.object(object).serialized().utf8))
    object["sha256"] = .string(digest)
    return JSONValue.object(object).serialized(.indented) + "\n"
  }

  /// The files below a folder by relative name, without the manifest.
  private static func fileNames(in folder: String, prefix: String = "") throws(FileError) -> [String] {
    var names: [String] = []
    for name in try folderEntries(folder) {
      if isFolder("\(folder)/\(name)") {
        names += try fileNames(in: "\(folder)/\(name)", prefix: "\(prefix)\(name)/")
      } else if prefix + name != fileName {
        names.append(prefix + name)
      }
    }
    return names
  }

  private static func measure(_ path: String) throws(FileError) -> (byteCount: Int, sha256: String) {
    (try MappedFile(path: path).count, try SHA256.hexadecimal(ofFile: path))
  }
}
