import NablaFormats
import NablaNN
import NablaTensor

/// A small convolutional image classifier: it judges samples of a class, and its features serve
/// to compare distributions of images.
///
///     x → conv 32 → conv 64, half the size → conv 64, half → 64 features → logits
///
/// A Fréchet distance in its features is not "FID", which uses Inception's features,
/// and can only be compared with others in the same features.
public final class ImageClassifier: Module {
  @Named("conv_1") var first: Conv2d
  @Named("conv_2") var second: Conv2d
  @Named("conv_3") var third: Conv2d
  @Named("features") var hidden: Linear
  @Named("logits") var output: Linear
  public static let featureCount = 64

  /// - Parameters:
  ///   - shape: [channels, height, width] of an image.
  ///   - classCount: the number of logits.
  ///   - random: draws the initial weights.
  public init(shape: [Int], classCount: Int, random: inout RandomSource) {
    precondition(shape.count == 3 && classCount > 1, "ImageClassifier: \(classCount) classes of images \(shape)")
    super.init()
    first = Conv2d(shape[0], 32, kernel: 3, random: &random)
    second = Conv2d(32, 64, kernel: 3, stride: 2, random: &random)
    third = Conv2d(64, 64, kernel: 3, stride: 2, random: &random)
    let side = { (size: Int) in ((size + 1) / 2 + 1) / 2 }
    hidden = Linear(64 * side(shape[1]) * side(shape[2]), Self.featureCount, random: &random)
    output = Linear(Self.featureCount, classCount, random: &random)
  }

  /// x: [B, channels, height, width] → [B, 64].
  public func features(_ x: Tensor) -> Tensor {
    let h = third(second(first(x).relu()).relu()).relu()
    return hidden(h.reshaped([x.shape[0], -1])).relu()
  }

  /// x: [B, channels, height, width] → logits [B, classes].
  public func callAsFunction(_ x: Tensor) -> Tensor { output(features(x)) }

  /// A function of images in batches, without gradients.
  private func inBatches(_ images: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    withoutGradient {
      let count = images.shape[0]
      return Tensor.concatenate(
        stride(from: 0, to: count, by: 256).map { body(images[$0..<min($0 + 256, count)]) }, axis: 0)
    }
  }

  /// The most probable class of each image.
  public func classes(_ images: Tensor) -> [Int32] {
    inBatches(images) { self($0) }.argmax(axis: 1).array(of: Int32.self)
  }

  public func allFeatures(_ images: Tensor) -> Tensor { inBatches(images, features) }

  /// The fraction of images that are classified correctly.
  public func accuracy(_ images: Tensor, _ labels: [Int32]) -> Double {
    Double(zip(classes(images), labels).count { $0 == $1 }) / Double(labels.count)
  }
}

extension ImageClassifier {
  /// Trains a classifier: cross-entropy, AdamW, a cosine from 2·10⁻³ to 0; no data augmentation, since
  /// samples should look like the data as they are.
  ///
  /// - Parameters:
  ///   - shape: [channels, height, width] of an image.
  ///   - classCount: Labels are 0 ..< `classCount`.
  ///   - examples: The number of rows, 0 ..< `examples`.
  ///   - epochs: Passes over all rows.
  ///   - seed: Of the initial weights and the order of the rows.
  ///   - batch: Images and labels of some rows.
  ///   - observe: Called after steps.
  public static func trained(
    shape: [Int], classCount: Int, examples: Int, epochs: Int = 4, seed: UInt64 = 1,
    batch: ([Int]) -> (images: Tensor, labels: [Int32]),
    observe: (_ step: Int, _ total: Int, _ loss: Double) throws -> Void
  ) rethrows -> ImageClassifier {
    var random = RandomSource(seed: seed)
    let model = ImageClassifier(shape: shape, classCount: classCount, random: &random)
    let size = min(64, examples)
    let total = max(1, epochs * examples / size)
    let optimizer = AdamW(
      learningRate: cosine(peak: 2e-3, warmup: min(50, total / 10), total: total), weightDecay: 0.01)
    var order: [Int] = []
    for step in 0..<total {
      if order.count < size { order = random.permutation(examples) }
      let (images, labels) = batch(Array(order.suffix(size)))
      order.removeLast(size)
      let (loss, gradients) = valueAndGradient(of: model) { $0(images).crossEntropy(Tensor(labels)) }
      optimizer.update(model, with: gradients.clipped(toNorm: 1))
      try observe(step + 1, total, Double(loss.item()))
    }
    return model
  }

  /// Writes the weights as safetensors.
  func save(to path: String) throws {
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: parameters().map { ($0.name, $0.value) }), to: path)
  }

  /// - Throws: ``DataError`` if the file contains a different network.
  func load(_ path: String) throws {
    let tensors = try SafetensorsFile(path: path).tensors()
    do throws(StateError) {
      try load(tensors)
    } catch {
      throw DataError(file: path, problem: "not a classifier for these images and classes: \(error)")
    }
  }
}
