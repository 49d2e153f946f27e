import ArgumentParser
import FoundationEssentials
import Nabla
import Yams

/// `--config FILE` of every command that trains: a YAML file whose keys are the names of flags, and `files`
/// for the text to train on.
///
/// ```yaml
/// files: [corpus.txt]
/// preset: small
/// learning-rate: 1e-3
/// tie-embeddings: false
/// ```
enum ConfigurationFile {
  /// A command that takes one.
  private struct Command {
    let words: [String]
    let options: any ParsableArguments.Type
    /// The key that may have several values; empty for none.
    let list: String
    /// The arguments needed with a flag, so that it can be parsed on its own.
    let context: (_ flag: String) -> [String]
  }

  private static var commands: [Command] {
    [
      Command(words: ["pretrain"], options: PretrainOptions.self, list: "files") { flag in
        flag == "allow-other-data" ? ["--resume=x"] : []
      },
      Command(words: ["sft"], options: TuningOptions<SFT.Configuration>.self, list: "data") { _ in [] },
      Command(words: ["dpo"], options: TuningOptions<DPO.Configuration>.self, list: "data") { _ in [] },
      Command(words: ["reward"], options: TuningOptions<RewardModel.Configuration>.self, list: "data") { _ in [] },
      Command(words: ["rlhf"], options: RLHFOptions.self, list: "data") { _ in [] },
      Command(words: ["grpo"], options: GRPOOptions.self, list: "data") { _ in [] },
      Command(words: ["rl", "train"], options: PolicyOptions.self, list: "algorithm") { flag in
        ["environment", "resume"].contains(flag) ? [] : ["--environment=x"]
      },
      Command(words: ["diffusion", "train"], options: DiffusionOptions.self, list: "") { _ in [] },
    ]
  }

  /// Replaces `--config FILE` with the file's flags, before the user's own arguments, which therefore override them.
  ///
  /// - Throws: `ValidationError` that names the file, and the line that cannot be used.
  static func expanded(_ arguments: [String]) throws -> [String] {
    guard let command = commands.first(where: { arguments.starts(with: $0.words) }) else { return arguments }
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    guard let place = arguments[..<end].firstIndex(where: { $0 == "--config" || $0.hasPrefix("--config=") }) else {
      return arguments
    }
    var rest = arguments
    let path: String
    if rest[place] == "--config" {
      guard place + 1 < end else { throw ValidationError("--config requires the path of a YAML file") }
      path = rest[place + 1]
      rest.removeSubrange(place...place + 1)
    } else {
      path = String(rest[place].dropFirst("--config=".count))
      rest.remove(at: place)
    }
    let (flags, list) = try contents(of: path, command)
    let own = Array(rest.dropFirst(command.words.count))
    // Several values given by the user replace the file's.
    if command.list == "files" {
      // Text, or a run to resume. Arguments that are not a flag's value are text.
      let named = (try? PretrainFiles.parse(own))?.files ?? []
      return command.words + flags + own + (named.isEmpty ? list : [])
    }
    let isNamed = own.contains { $0 == "--\(command.list)" || $0.hasPrefix("--\(command.list)=") }
    return command.words + flags + (isNamed || list.isEmpty ? [] : ["--\(command.list)"] + list) + own
  }

  private static func contents(of path: String, _ command: Command) throws -> (flags: [String], list: [String]) {
    let text: String
    do {
      let bytes = try MappedFile(path: path).withBytes { Array(TextBytes.withoutMark($0)) }
      guard let valid = String(validating: bytes, as: UTF8.self) else {
        throw ValidationError("--config \(path): the file is not UTF-8 text")
      }
      text = valid
    } catch let error as FileError {
      throw ValidationError("--config: \(error)")
    }
    let root: Yams.Node?
    do {
      root = try compose(yaml: text)
    } catch {
      throw ValidationError("--config \(path): not YAML: \(error)")
    }
    guard let root else { return ([], []) }
    guard case .mapping(let mapping) = root else {
      throw ValidationError("--config \(path): the file must have 'flag: value' lines")
    }
    var flags: [String] = []
    var values: [String] = []
    for (key, value) in mapping {
      let place = "--config \(path)" + (key.mark.map { ", line \($0.line)" } ?? "")
      guard let name = key.string else { throw ValidationError("\(place): a key is not a name") }
      if name == command.list {
        values += try list(name, value, place)
      } else {
        flags += try flag(name.replacing("_", with: "-"), value, place, command)
      }
    }
    return (flags, values)
  }

  /// The arguments of one line, parsed on their own so that an error names the line.
  private static func flag(
    _ name: String, _ value: Yams.Node, _ place: String, _ command: Command
  ) throws -> [String] {
    if name == "config" { throw ValidationError("\(place): a configuration file cannot include another") }
    let scalar: String
    switch value {
    case .scalar(let one) where value.null == nil || !one.string.isEmpty: scalar = one.string
    // A list, such as the sizes of layers, is joined with commas for the flag.
    case .sequence(let items) where items.allSatisfy({ $0.scalar != nil }):
      scalar = items.map { $0.scalar!.string }.joined(separator: ",")
    default: throw ValidationError("\(place): '\(name)' must have one value")
    }
    let candidates: [[String]] =
      switch value.bool {
      case true?: [["--\(name)"]]
      // A flag without a --no- form is off by default.
      case false?: [["--no-\(name)"], ["--\(name)"]]
      case nil: [["--\(name)=\(scalar)"]]
      }
    var problem = ""
    for (i, arguments) in candidates.enumerated() {
      do {
        _ = try command.options.parse(command.context(name) + arguments)
        return i == 0 ? arguments : []
      } catch {
        problem = command.options.message(for: error)
      }
    }
    throw ValidationError("\(place): \(problem)")
  }

  private static func list(_ name: String, _ value: Yams.Node, _ place: String) throws -> [String] {
    if let text = value.scalar?.string { return [text] }
    guard case .sequence(let items) = value else {
      throw ValidationError("\(place): '\(name)' must be a value or a list of values")
    }
    return try items.map { item in
      guard let text = item.scalar?.string else {
        throw ValidationError("\(place): '\(name)' has an item that is not a value")
      }
      return text
    }
  }
}

/// The arguments of `nabla pretrain`, for distinguishing files from the values of flags.
private struct PretrainFiles: ParsableArguments {
  @Argument var files: [String] = []
  @OptionGroup var options: PretrainOptions
}
