/// Why a safetensors file cannot be read. The description names the file and, if there is one, the tensor.
public struct SafetensorsError: Error, Equatable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    /// Fewer bytes than the 8 of the header's length.
    case tooShort
    /// A header length of zero, beyond the format's limit, or beyond the end of the file.
    case badHeaderLength(UInt64)
    case badHeader(JSONError)
    /// The header is JSON but not of the expected shape.
    case malformed(String)
    case unknownDType(String)
    /// The shape and dtype need another number of bytes than the offsets span.
    case sizeMismatch(shape: [Int], dtype: SafetensorsDType, byteCount: Int)
    case overlap
    case hole
    /// Offsets outside the data, or the data ends before or after the last tensor.
    case outsideFile(dataByteCount: Int)
    case missingTensor
    /// `Tensor` has no such element type.
    case unsupportedDType(SafetensorsDType)
    /// More dimensions than `Tensor` supports.
    case tooManyDimensions(Int)
    /// A 64-bit integer that does not fit into 32 bits.
    case outOfRange
    /// In a sharded index: a file name that escapes the folder.
    case badShardName(String)
    /// A folder without the expected file, and the weight files that it has.
    case noWeights(expected: String, found: [String])
  }

  public var file: String
  public var tensor: String?
  public var kind: Kind

  public var description: String {
    let place = tensor.map { "\(file): tensor \"\($0)\"" } ?? file
    return "\(place): \(reason)"
  }

  private var reason: String {
    switch kind {
    case .tooShort: "not a safetensors file: shorter than 8 bytes"
    case .badHeaderLength(let length):
      "not a safetensors file, or truncated: the header length \(length) does not fit the file"
    case .badHeader(let error): "the header is \(error)"
    case .malformed(let problem): "the header is malformed: \(problem)"
    case .unknownDType(let name): "unknown dtype \"\(name)\""
    case .sizeMismatch(let shape, let dtype, let byteCount):
      "shape \(shape) of \(dtype.rawValue) does not match the \(byteCount) bytes that its offsets span"
    case .overlap: "its bytes overlap those of another tensor"
    case .hole: "there are bytes before it that belong to no tensor"
    case .outsideFile(let count):
      "offsets and file size disagree (\(count) data bytes); the file is truncated or corrupt: download it again"
    case .missingTensor: "no such tensor"
    case .unsupportedDType(let dtype): "tensors of type \(dtype.rawValue) are not supported; convert the file"
    case .tooManyDimensions(let count): "it has \(count) dimensions; at most 6 are supported"
    case .outOfRange: "it contains an integer beyond 32 bits"
    case .badShardName(let name): "the shard name \"\(name)\" is not a plain file name"
    case .noWeights(let expected, let found):
      found.contains { !$0.hasSuffix(".safetensors") }
        ? "its weights are in \(found.joined(separator: ", ")), a format that can execute code, which is "
          + "not supported; save them as \(expected) with save_pretrained of transformers"
        : found.isEmpty
          ? "there is no \(expected) in this folder"
          : "there is no \(expected) in this folder, which has \(found.joined(separator: ", ")): rename or link it"
    }
  }
}
