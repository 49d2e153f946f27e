import NablaTensor

/// The format of MNIST and its relatives: a magic number, the sizes of the dimensions, then the elements (LeCun et
/// al.).
public enum IDX {
  /// Reads a file of unsigned bytes, compressed with gzip or not: images [N, height, width], labels [N].
  ///
  /// - Throws: ``FileError``, ``GzipError`` or ``ImageError`` naming the file.
  public static func read(path: String) throws -> Tensor {
    let bytes = try Gzip.readPossiblyCompressed(path)
    return try bytes.withUnsafeBytes { (bytes) throws(ImageError) in try read(bytes, file: path) }
  }

  /// Reads elements in memory; `file` names them in errors.
  public static func read(_ bytes: UnsafeRawBufferPointer, file: String) throws(ImageError) -> Tensor {
    func failure(_ problem: String) -> ImageError { ImageError(file: file, problem: problem) }
    guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0 else { throw failure("not an IDX file") }
    guard bytes[2] == 0x08 else {
      throw failure("elements of type 0x\(String(bytes[2], radix: 16)); only unsigned bytes (0x8) are read")
    }
    let rank = Int(bytes[3])
    guard 1...4 ~= rank else { throw failure("\(rank) dimensions; 1 to 4 are read") }
    guard bytes.count >= 4 + 4 * rank else { throw failure("the IDX file is truncated") }
    var (sizes, count) = ([Int](), 1)
    for dimension in 0..<rank {
      let size = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4 + 4 * dimension, as: UInt32.self))
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(size))
      guard !overflow else { throw failure("the sizes of its dimensions overflow") }
      count = product
      sizes.append(Int(size))
    }
    let start = 4 + 4 * rank
    guard count == bytes.count - start else {
      throw failure("\(bytes.count - start) bytes of elements, but \(sizes) requires \(count): truncated or corrupt")
    }
    return Tensor(Array(bytes[start...]), Shape(sizes))
  }
}
