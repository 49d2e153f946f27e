/// Why a GGUF file cannot be read or written. The description names the file and the key or tensor.
public struct GGUFError: Error, Equatable, CustomStringConvertible {
  /// What the problem is about.
  public enum Subject: Equatable, Sendable {
    case file
    case key(String)
    case tensor(String)
  }

  public enum Kind: Equatable, Sendable {
    /// The first four bytes are not "GGUF".
    case notGGUF
    case bigEndian
    /// A version other than 2 and 3.
    case unsupportedVersion(UInt32)
    /// The file ends inside the named part.
    case cutShort(String)
    /// More items than the remaining bytes could hold.
    case tooMany(String, count: UInt64)
    case malformed(String)
    case duplicate
    /// No such value or element type.
    case unknownType(UInt32)
    /// The key is not there.
    case missingKey
    /// The key's value is of another type, or out of range.
    case wrongValue(expected: String, found: String)
    case missingTensor
    /// A type that exists but that `Tensor` does not compute with.
    case unsupportedType(GGMLType)
  }

  public var file: String
  public var subject: Subject
  public var kind: Kind

  public init(file: String, subject: Subject = .file, kind: Kind) {
    self.file = file
    self.subject = subject
    self.kind = kind
  }

  public var description: String {
    switch subject {
    case .file: "\(file): \(reason)"
    case .key(let key): "\(file): key \(String(reflecting: key)): \(reason)"
    case .tensor(let name): "\(file): tensor \(String(reflecting: name)): \(reason)"
    }
  }

  private var reason: String {
    switch kind {
    case .notGGUF: "not a GGUF file: it does not begin with \"GGUF\""
    case .bigEndian: "a big-endian GGUF file; convert it to little-endian (gguf-convert-endian of the gguf package)"
    case .unsupportedVersion(let version): "GGUF version \(version) is not supported; versions 2 and 3 are"
    case .cutShort(let place): "the file ends inside \(place); it is truncated or corrupt: download it again"
    case .tooMany(let items, let count): "\(count) \(items) are more than the file can contain; it is corrupt"
    case .malformed(let problem): problem
    case .duplicate: "occurs twice"
    case .unknownType(let number): "has the unknown type \(number)"
    case .missingKey: "is missing"
    case .wrongValue(let expected, let found): "should be \(expected), not \(found)"
    case .missingTensor: "no such tensor"
    case .unsupportedType(let type):
      "tensors of type \(type.name) are not supported; requantize the file to a type such as Q4_K with llama.cpp"
    }
  }
}
