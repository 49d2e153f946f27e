import NablaFormats
import NablaTensor

/// Images of one size with their labels and captions.
public struct ImageDataset: Sendable {
  /// [N, channels, height, width], uint8.
  public let images: Tensor
  /// A class of each image, 0 ..< classNames.count; nil if there are none.
  public let labels: [Int32]?
  public let classNames: [String]
  /// A caption of each image; nil if there are none.
  public let captions: [String]?
  /// The file of each image, for messages; nil if one file contains all.
  public let files: [String]?

  public var count: Int { images.shape[0] }

  /// Images as network input: float32 in -1 … 1. indices: which ones. → [B, channels, height, width].
  public func batch(_ indices: [Int]) -> Tensor {
    images.gather(Tensor(indices.map(Int32.init))).cast(.float32) * (1 / 127.5) - 1
  }
}

/// Numbers in -1 … 1 as images; values outside are clipped. images: [N, 1, 3 or 4 channels, height, width].
public func pictures(_ images: Tensor) -> [Image] {
  precondition(
    images.rank == 4 && Image.Channels(rawValue: images.shape[1]) != nil,
    "images: the shape must be [N, channels, height, width] with 1, 3 or 4 channels, not \(images.shape)")
  let (channels, height, width) = (images.shape[1], images.shape[2], images.shape[3])
  let bytes = (images.clamped(to: -1...1) * 127.5 + 128).transposed(0, 2, 3, 1).array()
  let size = channels * height * width
  return (0..<images.shape[0]).map { i in
    // Half a level was added above, so that rounding down rounds to the nearest; only 255.5 would not fit.
    let part = bytes[i * size..<(i + 1) * size].map { UInt8(min($0, 255)) }
    return Image(width: width, height: height, channels: Image.Channels(rawValue: channels)!, bytes: part)
  }
}

extension ImageDataset {
  /// Images and labels of IDX files (MNIST and similar), optionally gzip-compressed.
  ///
  /// - Throws: `FileError`, `GzipError`, `ImageError` or ``DataError`` naming the file.
  public init(imagesPath: String, labelsPath: String?, classNames: [String]? = nil) throws {
    let images = try IDX.read(path: imagesPath)
    guard images.rank == 3, images.count > 0 else {
      throw DataError(file: imagesPath, problem: "the file must contain images [N, height, width], not \(images.shape)")
    }
    let n = images.shape[0]
    var labels: [Int32]?
    if let labelsPath {
      let numbers = try IDX.read(path: labelsPath)
      guard numbers.shape == [n] else {
        throw DataError(file: labelsPath, problem: "labels \(numbers.shape) for \(n) images")
      }
      labels = numbers.cast(.float32).cast(.int32).array(of: Int32.self)
    }
    let classes = labels.map { Int($0.max() ?? -1) + 1 } ?? 0
    if let classNames, classNames.count < classes, let labelsPath {
      throw DataError(file: labelsPath, problem: "label \(classes - 1), but only \(classNames.count) class names")
    }
    self.init(
      images: images.reshaped([n, 1, images.shape[1], images.shape[2]]), labels: labels,
      classNames: classNames ?? (0..<classes).map(String.init), captions: nil, files: nil)
  }
}
