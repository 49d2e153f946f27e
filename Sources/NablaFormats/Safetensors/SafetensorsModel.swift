import Glibc

/// The tensors of a model folder, whether in one file (`model.safetensors`) or in shards listed by
/// `model.safetensors.index.json`.
public struct SafetensorsModel: Sendable {
  /// The file or files, each opened and checked.
  public let files: [SafetensorsFile]
  private let fileIndex: [String: Int]

  /// Opens a folder, or a single file when `path` is one. As in `transformers`, a single file takes precedence over an
  /// index.
  ///
  /// - Parameters:
  ///   - path: A folder, or a .safetensors file.
  ///   - baseName: The base name of the files: "model", or "adapter_model" for adapters.
  /// - Throws: ``FileError``, ``JSONError`` or ``SafetensorsError``.
  public init(path: String, baseName: String = "model") throws {
    let single = "\(path)/\(baseName).safetensors"
    let index = "\(single).index.json"
    if isFolder(path + "/."), pathExists(index), !pathExists(single) {
      (files, fileIndex) = try Self.openShards(index: index, folder: path)
    } else {
      if isFolder(path + "/."), !pathExists(single) {
        throw try Self.noWeights(in: path, expected: "\(baseName).safetensors")
      }
      let file = try SafetensorsFile(path: isFolder(path + "/.") ? single : path)
      files = [file]
      fileIndex = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, 0) })
    }
  }

  /// The names of all tensors, sorted.
  public var names: [String] { fileIndex.keys.sorted() }

  /// The file that holds a tensor, and its entry there; nil when the model lacks it.
  public func find(_ name: String) -> (file: SafetensorsFile, entry: SafetensorsFile.Entry)? {
    guard let index = fileIndex[name], let entry = try? files[index].entry(name) else { return nil }
    return (files[index], entry)
  }

  /// The error for a folder without the expected weight file.
  private static func noWeights(in folder: String, expected: String) throws -> SafetensorsError {
    // Pickles, and the weight files of other libraries.
    let endings = [".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".safetensors"]
    let names = try folderEntries(folder).filter { name in
      endings.contains(where: name.hasSuffix) && !name.hasPrefix("training_args")
    }
    let pickles = names.filter { !$0.hasSuffix(".safetensors") }
    return SafetensorsError(
      file: folder, kind: .noWeights(expected: expected, found: Array((pickles.isEmpty ? names : pickles).prefix(4))))
  }

  private static func openShards(index path: String, folder: String) throws -> ([SafetensorsFile], [String: Int]) {
    let json = try JSONValue(contentsOfFile: path)
    guard let map = json["weight_map"]?.object else {
      throw SafetensorsError(file: path, kind: .malformed("\"weight_map\" must be an object"))
    }
    var files: [SafetensorsFile] = []
    var shardIndex: [String: Int] = [:]
    var fileIndex: [String: Int] = [:]
    for member in map.members {
      guard let shard = member.value.string else {
        throw SafetensorsError(file: path, tensor: member.key, kind: .malformed("its shard must be a file name"))
      }
      // A name from the file must not escape the folder.
      guard !shard.isEmpty, !shard.utf8.contains(UInt8(ascii: "/")), !shard.utf8.contains(0), shard != ".." else {
        throw SafetensorsError(file: path, tensor: member.key, kind: .badShardName(shard))
      }
      if shardIndex[shard] == nil {
        shardIndex[shard] = files.count
        files.append(try SafetensorsFile(path: "\(folder)/\(shard)"))
      }
      let index = shardIndex[shard]!
      _ = try files[index].entry(member.key)
      if fileIndex.updateValue(index, forKey: member.key) != nil {
        throw SafetensorsError(file: path, tensor: member.key, kind: .malformed("the name occurs twice"))
      }
    }
    return (files, fileIndex)
  }
}
