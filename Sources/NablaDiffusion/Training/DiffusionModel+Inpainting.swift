import NablaFormats
import NablaTensor
import NablaTraining

extension DiffusionModel {
  /// An image with a mask for inpainting, from PNG files of the size that the model makes.
  ///
  /// - Parameters:
  ///   - image: The image to complete.
  ///   - mask: White where the image is kept, black where it is generated.
  /// - Throws: ``DataError`` for another size, `ConfigurationError` for a model of points, and what reading PNG
  ///   throws.
  public func knownData(image: String, mask: String) throws -> KnownData {
    try require(form.isImages, "\(setting: "inpaint"): this model generates points, not images")
    let kept = try read(mask, .gray)
    return KnownData(
      try read(image, Image.Channels(rawValue: form.shape[0]) ?? .rgb) * (1 / 127.5) - 1,
      where: Tensor.select(Tensor.less(kept, 127.5), 0, 1))
  }

  /// [1, channels, height, width] of 0 … 255.
  private func read(_ path: String, _ channels: Image.Channels) throws -> Tensor {
    let image = try PNG.read(path: path).converted(to: channels, background: 255)
    guard [image.height, image.width] == Array(form.shape.dropFirst()) else {
      throw DataError(
        file: path,
        problem:
          "\(image.width) × \(image.height) pixels, but the model's are \(form.shape[2]) × \(form.shape[1])")
    }
    return Tensor(image.bytes, [1, image.height, image.width, channels.rawValue]).transposed(0, 3, 1, 2).cast(.float32)
  }
}
