/// What is wrong with gzip data, and where.
public struct GzipError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Sendable, Equatable {
    /// Not gzip at all, or something else after a member.
    case notGzip
    /// The data ends before it is complete.
    case truncated
    /// The data contradicts itself or its checksum; the text is zlib's.
    case damaged(String)
    /// More bytes than the caller allows.
    case tooLarge(limit: Int)
  }

  /// Distance from the start of the compressed data, in bytes.
  public var offset: Int
  public var problem: Problem
  /// The file the data came from, when it came from one.
  public var file: String?

  public init(offset: Int, problem: Problem, file: String? = nil) {
    (self.offset, self.problem, self.file) = (offset, problem, file)
  }

  public var description: String {
    let place = file.map { "\($0): " } ?? ""
    switch problem {
    case .notGzip:
      return "\(place)not gzip data at byte \(offset)" + (offset > 0 ? ", where another gzip member should begin" : "")
    case .truncated:
      return "\(place)the gzip data ends in the middle, at byte \(offset); the file was cut short: fetch it again"
    case .damaged(let reason):
      return "\(place)damaged gzip data at byte \(offset) (\(reason)); fetch the file again"
    case .tooLarge(let limit):
      return "\(place)decompresses to more than \(limit) bytes, the most that is accepted here"
    }
  }
}
