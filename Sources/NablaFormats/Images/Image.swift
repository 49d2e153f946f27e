/// An image with 8 bits per channel: rows from the top, pixels from the left, channels interleaved.
public struct Image: Sendable, Hashable {
  /// The channels of each pixel.
  public enum Channels: Int, Sendable, Codable, CaseIterable {
    case gray = 1
    case rgb = 3
    /// With alpha, 255 for opaque, not premultiplied.
    case rgba = 4
  }

  public let width: Int
  public let height: Int
  public let channels: Channels
  /// height · width · channels.
  public let bytes: [UInt8]

  public init(width: Int, height: Int, channels: Channels, bytes: [UInt8]) {
    precondition(
      width > 0 && height > 0 && bytes.count == width * height * channels.rawValue,
      "Image: \(bytes.count) bytes for \(width) × \(height) pixels of \(channels)")
    (self.width, self.height, self.channels, self.bytes) = (width, height, channels, bytes)
  }

  /// The same image with other channels. Transparent areas show `background` (0 to 255, all colors alike); gray is
  /// 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded.
  public func converted(to target: Channels, background: UInt8 = 255) -> Image {
    if target == channels { return self }
    var result: [UInt8] = []
    result.reserveCapacity(width * height * target.rawValue)
    for pixel in stride(from: 0, to: bytes.count, by: channels.rawValue) {
      let opacity = channels == .rgba ? bytes[pixel + 3] : 255
      // A transparent target keeps its colors as they are.
      let behind = target == .rgba ? nil : background
      let red = bytes[pixel].over(behind, opacity: opacity)
      let green = channels == .gray ? red : bytes[pixel + 1].over(behind, opacity: opacity)
      let blue = channels == .gray ? red : bytes[pixel + 2].over(behind, opacity: opacity)
      switch target {
      case .gray:
        let luma = 299 * Int(red) + 587 * Int(green) + 114 * Int(blue)
        result.append(UInt8((luma + 500) / 1000))
      case .rgb: result.append(contentsOf: [red, green, blue] as [UInt8])
      case .rgba: result.append(contentsOf: [red, green, blue, opacity] as [UInt8])
      }
    }
    return Image(width: width, height: height, channels: target, bytes: result)
  }

  /// Resizes: to smaller sizes with the mean of the covered pixels, to larger sizes with the nearest pixel.
  public func resized(width newWidth: Int, height newHeight: Int) -> Image {
    precondition(newWidth > 0 && newHeight > 0, "Image.resized: \(newWidth) × \(newHeight)")
    if newWidth == width, newHeight == height { return self }
    let n = channels.rawValue
    var result = [UInt8](repeating: 0, count: newWidth * newHeight * n)
    for y in 0..<newHeight {
      let rows = y * height / newHeight..<max((y + 1) * height / newHeight, y * height / newHeight + 1)
      for x in 0..<newWidth {
        let columns = x * width / newWidth..<max((x + 1) * width / newWidth, x * width / newWidth + 1)
        for c in 0..<n {
          var sum = 0
          for row in rows { for column in columns { sum += Int(bytes[(row * width + column) * n + c]) } }
          let count = rows.count * columns.count
          result[(y * newWidth + x) * n + c] = UInt8((sum + count / 2) / count)
        }
      }
    }
    return Image(width: newWidth, height: newHeight, channels: channels, bytes: result)
  }

  /// A grid of images of one size, `columns` per row, with `gap` white pixels between.
  public static func grid(_ images: [Image], columns: Int, gap: Int = 2) -> Image {
    precondition(!images.isEmpty && columns > 0, "Image.grid: no images, or no columns")
    let first = images[0]
    precondition(
      images.allSatisfy { $0.width == first.width && $0.height == first.height && $0.channels == first.channels },
      "Image.grid: the images differ in size or channels")
    let n = first.channels.rawValue
    let columns = min(columns, images.count)
    let rows = (images.count + columns - 1) / columns
    let (width, height) = (columns * (first.width + gap) - gap, rows * (first.height + gap) - gap)
    var bytes = [UInt8](repeating: 255, count: width * height * n)
    for (i, image) in images.enumerated() {
      let (left, top) = (i % columns * (first.width + gap), i / columns * (first.height + gap))
      for y in 0..<first.height {
        let source = y * first.width * n
        let target = ((top + y) * width + left) * n
        bytes.replaceSubrange(
          target..<target + first.width * n, with: image.bytes[source..<source + first.width * n])
      }
    }
    return Image(width: width, height: height, channels: first.channels, bytes: bytes)
  }
}

/// Why a file of images cannot be read. The description names the file.
public struct ImageError: Error, Equatable, CustomStringConvertible {
  public var file: String
  public var problem: String

  public init(file: String, problem: String) { (self.file, self.problem) = (file, problem) }

  public var description: String { "\(file): \(problem)" }
}

extension UInt8 {
  /// This color composited over a background; unchanged without a background.
  fileprivate func over(_ background: UInt8?, opacity: UInt8) -> UInt8 {
    guard let background, opacity != 255 else { return self }
    let mixed = Int(self) * Int(opacity) + Int(background) * (255 - Int(opacity))
    return UInt8((mixed + 127) / 255)
  }
}
