import ArgumentParser
import FoundationEssentials
import Yams

/// `--config FILE`: a YAML file whose keys are the names of flags, and `files` for the positional arguments.
///
/// ```yaml
/// files: [corpus.txt]
/// preset: small
/// learning-rate: 1e-3
/// activation-checkpointing: true
/// ```
enum ConfigurationFile {
  /// Replaces `--config FILE` after the subcommand by what the file says.
  static func expanded(_ arguments: [String]) throws -> [String] {
    guard let place = arguments.firstIndex(where: { $0 == "--config" || $0.hasPrefix("--config=") }), place > 0 else {
      return arguments
    }
    var rest = arguments
    let path: String
    if rest[place] == "--config" {
      guard place + 1 < rest.count else { throw ValidationError("--config needs the path of a YAML file") }
      path = rest[place + 1]
      rest.removeSubrange(place...place + 1)
    } else {
      path = String(rest[place].dropFirst("--config=".count))
      rest.remove(at: place)
    }
    return [rest[0]] + (try flags(in: path)) + rest.dropFirst()
  }

  private static func flags(in path: String) throws -> [String] {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw ValidationError("--config \(path): the file cannot be read as UTF-8 text")
    }
    let root: Node?
    do {
      root = try compose(yaml: text)
    } catch {
      throw ValidationError("--config \(path): \(error)")
    }
    guard let root else { return [] }
    guard case .mapping(let mapping) = root else {
      throw ValidationError("--config \(path): the file should hold 'flag: value' lines")
    }
    return try mapping.flatMap { key, value -> [String] in
      guard let name = key.string else { throw ValidationError("--config \(path): a key is not a name") }
      if name == "files" { return try list(value, path, name) }
      let flag = "--" + name.replacing("_", with: "-")
      switch (value.bool, value.scalar?.string) {
      case (true?, _): return [flag]
      case (false?, _): return []
      case (nil, let text?): return ["\(flag)=\(text)"]
      default: return try list(value, path, name).flatMap { ["\(flag)=\($0)"] }
      }
    }
  }

  private static func list(_ value: Node, _ path: String, _ name: String) throws -> [String] {
    if let text = value.scalar?.string { return [text] }
    guard case .sequence(let items) = value else {
      throw ValidationError("--config \(path): '\(name)' should be a value or a list of values")
    }
    return try items.map { item in
      guard let text = item.scalar?.string else {
        throw ValidationError("--config \(path): '\(name)' holds something that is not a value")
      }
      return text
    }
  }
}
