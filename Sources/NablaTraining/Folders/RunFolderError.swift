/// Why a folder cannot be used as a training run.
public struct RunFolderError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    case missing
    case notARun
    /// It has the `config.json` of a Hugging Face model.
    case modelFolder
    case alreadyARun
    /// It contains other files, such as the one named.
    case notEmpty(String)
    case inUse
    case otherVersion(Int)
    case badConfiguration(String)
  }

  public var path: String
  public var kind: Kind

  public var description: String {
    switch kind {
    case .missing: "there is no folder \(path)"
    case .notARun: "\(path) is not a training run: it has no config.json that Nabla wrote"
    case .modelFolder: "\(path) is a model folder, not a training run: it cannot be resumed or reported on"
    case .alreadyARun: "\(path) is already a training run: resume it, or choose another folder"
    case .notEmpty(let name):
      "\(path) is not empty (it contains \(name)) and is not a training run: choose another folder"
    case .inUse: "\(path) is being written by another process: wait for it or stop it"
    case .otherVersion(let version):
      "\(path) has run format version \(version), this program reads version \(RunFolder.formatVersion)"
    case .badConfiguration(let reason): "\(path)/config.json does not have the expected configuration: \(reason)"
    }
  }
}
