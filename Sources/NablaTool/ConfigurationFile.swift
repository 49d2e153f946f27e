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
    /// The keys that may have several values: flags, and `files`.
    let lists: Set<String>
    /// The arguments needed with a flag, so that it can be parsed on its own.
    let context: (_ flag: String) -> [String]
  }

  private static var commands: [Command] {
    let judged: Set = ["data", "reward", "reward-weight"]
    return [
      Command(words: ["pretrain"], options: PretrainOptions.self, lists: ["files"]) { flag in
        flag == "allow-other-data" ? ["--resume=x"] : []
      },
      Command(words: ["sft"], options: TuningOptions<SFT.Configuration>.self, lists: ["data"]) { _ in [] },
      Command(words: ["dpo"], options: TuningOptions<DPO.Configuration>.self, lists: ["data"]) { _ in [] },
      Command(words: ["reward"], options: TuningOptions<RewardModel.Configuration>.self, lists: ["data"]) { _ in [] },
      Command(words: ["rlhf"], options: RLHFOptions.self, lists: judged) { _ in [] },
      Command(words: ["grpo"], options: GRPOOptions.self, lists: judged) { _ in [] },
      Command(words: ["rl", "train"], options: PolicyOptions.self, lists: ["algorithm"]) { flag in
        ["environment", "resume"].contains(flag) ? [] : ["--environment=x"]
      },
      Command(words: ["diffusion", "train"], options: DiffusionOptions.self, lists: []) { _ in [] },
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
    let contents = try contents(of: path, command)
    let own = Array(rest.dropFirst(command.words.count))
    let ownFlags = own[..<(own.firstIndex(of: "--") ?? own.endIndex)]
    // Several values given by the user replace the file's.
    var (listed, files): ([String], [String]) = ([], [])
    for (key, arguments) in contents.lists {
      if key == "files" {
        // Text, or a run to resume. Arguments that are not a flag's value are text.
        let named = (try? PretrainFiles.parse(own))?.files ?? []
        if named.isEmpty { files += arguments }
      } else if !ownFlags.contains(where: { $0 == "--\(key)" || $0.hasPrefix("--\(key)=") }) {
        listed += arguments
      }
    }
    var expanded = command.words + contents.flags + own
    // After the user's flags: a flag with several values takes every value that follows, such as the model.
    expanded.insert(contentsOf: listed, at: command.words.count + contents.flags.count + ownFlags.count)
    return expanded + files
  }

  /// The arguments that a file stands for.
  private struct Contents {
    var flags: [String] = []
    /// Of the keys that may have several values, in the order of the file.
    var lists: [(key: String, arguments: [String])] = []
  }

  private static func contents(of path: String, _ command: Command) throws -> Contents {
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
    guard let root else { return Contents() }
    guard case .mapping(let mapping) = root else {
      throw ValidationError("--config \(path): the file must have 'flag: value' lines")
    }
    var contents = Contents()
    for (key, value) in mapping {
      let place = "--config \(path)" + (key.mark.map { ", line \($0.line)" } ?? "")
      guard let name = key.string?.replacing("_", with: "-") else {
        throw ValidationError("\(place): a key is not a name")
      }
      if command.lists.contains(name) {
        contents.lists.append((name, try list(name, value, place, command)))
      } else {
        contents.flags += try flag(name, value, place, command)
      }
    }
    return contents
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

  /// The arguments of a key that may have several values.
  private static func list(
    _ name: String, _ value: Yams.Node, _ place: String, _ command: Command
  ) throws -> [String] {
    let items: [Yams.Node]
    switch value {
    case .scalar: items = [value]
    case .sequence(let sequence): items = Array(sequence)
    default: throw ValidationError("\(place): '\(name)' must be a value or a list of values")
    }
    let values = try items.map { item in
      guard let text = item.scalar?.string else {
        throw ValidationError("\(place): '\(name)' has an item that is not a value")
      }
      return text
    }
    if name == "files" { return values }
    let arguments = values.map { "--\(name)=\($0)" }
    do {
      _ = try command.options.parse(command.context(name) + arguments)
    } catch {
      throw ValidationError("\(place): \(command.options.message(for: error))")
    }
    return arguments
  }
}

/// The arguments of `nabla pretrain`, for distinguishing files from the values of flags.
private struct PretrainFiles: ParsableArguments {
  @Argument var files: [String] = []
  @OptionGroup var options: PretrainOptions
}
