/// Reads a file from front to back in pieces, decompressed if it begins like gzip data.
///
/// ```swift
/// var reader = try GzipReader(path: "pairs.jsonl.gz")
/// while let part = try reader.read() { … }
/// ```
public struct GzipReader: ~Copyable {
  public let path: String
  public let isCompressed: Bool
  private let file: MappedFile
  private var inflater = Inflater()
  private var position = 0
  private var buffer: [UInt8]

  /// - Throws: ``FileError``.
  public init(path: String, bufferSize: Int = 1 << 18) throws(FileError) {
    self.path = path
    file = try MappedFile(path: path)
    isCompressed = file.withBytes { Gzip.isGzip($0) }
    buffer = Array(repeating: 0, count: isCompressed ? bufferSize : 0)
  }

  /// The next bytes of the content; nil at its end.
  ///
  /// - Throws: ``GzipError`` that names the file.
  public mutating func read(atMost limit: Int = 1 << 18) throws(GzipError) -> ArraySlice<UInt8>? {
    if !isCompressed {
      let end = min(position + limit, file.count)
      defer { position = end }
      return position < end ? file.withBytes { ArraySlice($0[position..<end]) } : nil
    }
    do {
      let count = try refill(limit)
      return count > 0 ? buffer[..<count] : nil
    } catch {
      throw GzipError(offset: error.offset, problem: error.problem, file: path)
    }
  }

  private mutating func refill(_ limit: Int) throws(GzipError) -> Int {
    let file = file
    return try file.withBytes { (bytes) throws(GzipError) in
      try buffer.withUnsafeMutableBufferPointer { (buffer) throws(GzipError) in
        let room = UnsafeMutableBufferPointer(rebasing: buffer.prefix(limit))
        return try inflater.read(bytes, into: UnsafeMutableRawBufferPointer(room))
      }
    }
  }
}
