/// Data in gzip format (RFC 1952).
///
/// ```swift
/// let bytes = try Gzip.readPossiblyCompressed("train-images-idx3-ubyte.gz")
/// ```
public enum Gzip {
  /// The first bytes of gzip data.
  static let magic: (UInt8, UInt8) = (0x1F, 0x8B)
  /// The default limit of decompressed bytes in memory: 8 GiB.
  public static let defaultMaximumByteCount = 1 << 33

  /// Whether `bytes` begin like gzip data.
  public static func isGzip(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.first == magic.0 && bytes.dropFirst().first == magic.1
  }

  /// The decompressed `bytes`, all members of them.
  ///
  /// - Parameters:
  ///   - bytes: One or more gzip members.
  ///   - maximumByteCount: Gzip data can expand a thousandfold: more than this is an error.
  /// - Throws: ``GzipError`` if the data is truncated, corrupt, not gzip, or too large.
  public static func decompress(
    _ bytes: UnsafeRawBufferPointer, maximumByteCount: Int = defaultMaximumByteCount
  ) throws(GzipError) -> [UInt8] {
    var inflater = Inflater()
    var result: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = try part.withUnsafeMutableBufferPointer { (part) throws(GzipError) in
        try inflater.read(bytes, into: UnsafeMutableRawBufferPointer(part))
      }
      if count == 0 { return result }
      if count > maximumByteCount - result.count {
        throw GzipError(offset: inflater.offset, problem: .tooLarge(limit: maximumByteCount))
      }
      result += part[..<count]
    }
  }

  /// As ``decompress(_:maximumByteCount:)-(UnsafeRawBufferPointer,_)``.
  public static func decompress(
    _ bytes: [UInt8], maximumByteCount: Int = defaultMaximumByteCount
  ) throws(GzipError) -> [UInt8] {
    try bytes.withUnsafeBufferPointer { (bytes) throws(GzipError) in
      try decompress(UnsafeRawBufferPointer(bytes), maximumByteCount: maximumByteCount)
    }
  }

  /// The bytes of a file, decompressed if they begin like gzip data, whatever the file's name.
  ///
  /// - Throws: ``FileError``, or a ``GzipError`` that names the file.
  public static func readPossiblyCompressed(
    _ path: String, maximumByteCount: Int = defaultMaximumByteCount
  ) throws -> [UInt8] {
    let file = try MappedFile(path: path)
    return try file.withBytes { bytes in
      if isGzip(bytes) {
        do throws(GzipError) {
          return try decompress(bytes, maximumByteCount: maximumByteCount)
        } catch {
          throw GzipError(offset: error.offset, problem: error.problem, file: path)
        }
      }
      if bytes.count > maximumByteCount {
        throw GzipError(offset: 0, problem: .tooLarge(limit: maximumByteCount), file: path)
      }
      return Array(bytes)
    }
  }
}
