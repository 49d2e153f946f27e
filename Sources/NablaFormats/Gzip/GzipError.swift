/// What is wrong with gzip data, and where.
public struct GzipError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Sendable, Equatable {
    /// Not gzip at all, or something else after a member.
    case notGzip
    /// The data ends before it is complete.
    case truncated
    /// The data is inconsistent or its checksum is wrong; the text is zlib's.
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
      return "\(place)the gzip data ends prematurely at byte \(offset); the file is truncated: download it again"
    case .damaged(let reason):
      return "\(place)corrupt gzip data at byte \(offset) (\(reason)); download the file again"
    case .tooLarge(let limit):
      return "\(place)decompresses to more than the limit of \(limit) bytes"
    }
  }
}
