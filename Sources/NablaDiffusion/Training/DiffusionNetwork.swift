import NablaNN
import NablaTensor
import NablaTraining

/// The condition of each row, besides its noisy data.
public enum Conditions: Sendable, Hashable {
  case none
  /// A class of each row; the number of classes means "no class".
  case classes([Int32])
  /// The words of each row; only ``CaptionVocabulary/none`` means "no caption".
  case captions([[Int32]])
}

/// A network of any kind with its conditioning: a class, or a caption through a jointly trained text encoder.
public final class DiffusionNetwork: Module {
  let mlp: DenoisingMLP?
  let unet: UNet?
  let dit: DiT?
  let text: TextEncoder?
  private let classCount: Int
  /// Scales the objective's times to those of a UNet: 0 … 1000.
  private let unetTimeScale: Double

  /// - Throws: `ConfigurationError` for a network that does not support such data, ``DiffusionError`` for sizes that
  ///   do not fit each other.
  public init(_ c: DiffusionConfiguration, _ form: DataForm, random: inout RandomSource) throws {
    let kind = form.network(for: c)
    try require(
      form.isImages == (kind != .mlp),
      "\(setting: "network") \(kind.rawValue) is for \(form.isImages ? "points: these data are images" : "images: these data are points")"
    )
    try require(
      form.vocabulary == nil || kind != .mlp,
      "\(setting: "network") mlp does not support captions: use dit or unet, or set \(setting: "condition") to none")
    classCount = form.classNames?.count ?? 0
    let isDiscrete = c.objective == .ddpm
    unetTimeScale = isDiscrete ? 1 : 1000
    var (mlp, unet, dit, text): (DenoisingMLP?, UNet?, DiT?, TextEncoder?) = (nil, nil, nil, nil)
    if kind == .mlp {
      mlp = DenoisingMLP(
        dimensions: form.shape[0], width: c.width, depth: c.depth, timeScale: isDiscrete ? 1 / Double(c.noiseSteps) : 1,
        labels: classCount, random: &random)
    } else {
      let (height, width) = (form.shape[1], form.shape[2])
      try require(
        height == width,
        "images of \(width) × \(height) are not square: crop them, or resize PNG images by \(setting: "image-size")")
      switch kind {
      case .unet:
        try require(
          c.channels.allSatisfy { $0 % 8 == 0 },
          "\(setting: "channels") must be multiples of 8, the number of groups of the norms")
        unet = try UNet(
          UNetConfiguration(
            sampleSize: height, inputChannels: form.shape[0], blockChannels: c.channels,
            layersPerBlock: c.layersPerBlock,
            classCount: classCount == 0 ? 0 : classCount + 1, contextSize: form.vocabulary == nil ? nil : 64),
          random: &random)
      default:
        dit = try DiT(
          DiTConfiguration(
            sampleSize: height, channels: form.shape[0], patchSize: c.patchSize, hiddenSize: c.width, depth: c.depth,
            headCount: c.heads, classCount: classCount, contextSize: form.vocabulary == nil ? nil : 64,
            timeScale: isDiscrete ? 1000 / Double(c.noiseSteps) : 1000), random: &random)
      }
      text = form.vocabulary.map { TextEncoder($0, random: &random) }
    }
    (self.mlp, self.unet, self.dit, self.text) = (mlp, unet, dit, text)
  }

  /// x: [B, ...], times: [B] → [B, ...].
  public func callAsFunction(_ x: Tensor, _ times: Tensor, _ conditions: Conditions) -> Tensor {
    var labels: Tensor?
    if classCount > 0 { labels = Tensor(self.labels(conditions, x.shape[0])) }
    if let mlp { return mlp(x, times, labels: labels) }
    let context = text.map { $0(words(conditions, x.shape[0])) }
    if let unet { return unet(x, unetTimeScale * times, labels: labels, context: context) }
    return dit!(x, times, labels: labels, context: context)
  }

  private func labels(_ conditions: Conditions, _ rows: Int) -> [Int32] {
    if case .classes(let labels) = conditions { return labels }
    return Array(repeating: Int32(classCount), count: rows)
  }

  private func words(_ conditions: Conditions, _ rows: Int) -> [[Int32]] {
    if case .captions(let texts) = conditions { return texts }
    return Array(repeating: [CaptionVocabulary.none], count: rows)
  }

  /// Drops some of the conditions; see ``droppingConditions(_:probability:none:random:)``.
  func dropping(_ conditions: Conditions, probability: Double, random: inout RandomSource) -> Conditions {
    switch conditions {
    case .none: return .none
    case .classes(let labels):
      return .classes(
        droppingConditions(Tensor(labels), probability: probability, none: classCount, random: &random)
          .array(of: Int32.self))
    case .captions(let texts):
      return .captions(texts.map { random.uniform() < probability ? [CaptionVocabulary.none] : $0 })
    }
  }
}
