import CLibpng

/// PNG images, read and written by libpng's simplified interface, which returns every error as a value.
public enum PNG {
  /// The maximum number of pixels of an image: a small file can claim any number, and memory is allocated before it is
  /// read.
  public static let maximumPixelCount = 1 << 26

  /// Reads an image in its stored format: gray, RGB or RGBA of 8 bits. Palettes and 1, 2 and 4 bits are expanded; gray
  /// or palettes with transparency become RGBA.
  ///
  /// - Throws: ``FileError`` or ``ImageError`` naming the file.
  public static func read(path: String) throws -> Image {
    try MappedFile(path: path).withBytes { (bytes) throws(ImageError) in try read(bytes, file: path) }
  }

  /// Reads an image in memory; `file` names it in errors.
  public static func read(_ bytes: UnsafeRawBufferPointer, file: String) throws(ImageError) -> Image {
    func failure(_ problem: String) -> ImageError { ImageError(file: file, problem: problem) }
    let header = try header(bytes, file: file)
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
      throw failure("corrupt PNG: \(message(of: image))")
    }
    // Frees libpng's state if reading did not finish; harmless otherwise.
    defer { png_image_free(&image) }
    guard Int(image.width) == header.width, Int(image.height) == header.height else {
      throw failure("corrupt PNG: two headers of different sizes")
    }
    let hasColor = image.format & PNG_FORMAT_FLAG_COLOR != 0
    let hasAlpha = image.format & PNG_FORMAT_FLAG_ALPHA != 0
    let channels: Image.Channels = hasAlpha ? .rgba : hasColor ? .rgb : .gray
    image.format =
      channels == .gray
      ? 0 : PNG_FORMAT_FLAG_COLOR | (channels == .rgba ? PNG_FORMAT_FLAG_ALPHA : 0)
    // Bounded by maximumPixelCount.
    var pixels = [UInt8](repeating: 0, count: header.width * header.height * channels.rawValue)
    let finished = pixels.withUnsafeMutableBytes {
      png_image_finish_read(&image, nil, $0.baseAddress, png_int_32(header.width * channels.rawValue), nil)
    }
    guard finished != 0 else { throw failure("corrupt PNG: \(message(of: image))") }
    return Image(width: header.width, height: header.height, channels: channels, bytes: pixels)
  }

  /// The bytes of an image as a PNG file.
  public static func data(_ image: Image) -> [UInt8] {
    var header = png_image()
    header.version = png_uint_32(PNG_IMAGE_VERSION)
    (header.width, header.height) = (png_uint_32(image.width), png_uint_32(image.height))
    header.format =
      switch image.channels {
      case .gray: 0
      case .rgb: PNG_FORMAT_FLAG_COLOR
      case .rgba: PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA
      }
    // No image needs more than its pixels, uncompressed, with some bytes per row and chunk.
    var size = image.bytes.count + image.bytes.count / 100 + image.height * 16 + 4096
    var bytes = [UInt8](repeating: 0, count: size)
    let written = bytes.withUnsafeMutableBytes { target in
      image.bytes.withUnsafeBytes { source in
        png_image_write_to_memory(&header, target.baseAddress, &size, 0, source.baseAddress, 0, nil)
      }
    }
    precondition(written != 0, "PNG: libpng cannot write an image: \(message(of: header))")
    return Array(bytes[..<size])
  }

  /// Writes an image; the file is replaced atomically.
  public static func write(_ image: Image, to path: String) throws { try AtomicFile.write(data(image), to: path) }

  /// Width and height, checked before libpng sees the file.
  private static func header(
    _ bytes: UnsafeRawBufferPointer, file: String
  ) throws(ImageError) -> (width: Int, height: Int) {
    func failure(_ problem: String) -> ImageError { ImageError(file: file, problem: problem) }
    guard bytes.count >= 8, bytes[..<8].elementsEqual([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
      throw failure("not a PNG file")
    }
    // Length, "IHDR", width, height, bit depth.
    guard bytes.count >= 33, bytes[12..<16].elementsEqual("IHDR".utf8) else {
      throw failure("the PNG file is truncated")
    }
    func number(_ at: Int) -> Int { Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))) }
    let (width, height) = (number(16), number(20))
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0, !overflow, pixels <= maximumPixelCount else {
      throw failure("\(width) × \(height) pixels; at most \(maximumPixelCount) in total are supported")
    }
    guard bytes[24] <= 8 else { throw failure("\(bytes[24]) bits per channel; save it with 8") }
    return (width, height)
  }

  private static func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
