import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining

/// The source of the data: a 2-D set by its name, or files.
public enum DiffusionSource: Sendable, Hashable {
  case set(PointSet)
  /// A CSV file.
  case table(String)
  /// An IDX file of images, with its labels next to it.
  case idx(String)
  /// PNG images.
  case folder(String)

  /// - Throws: ``DataError`` if it is neither the name of a set nor a readable file or folder.
  public init(_ text: String) throws(DataError) {
    if let set = PointSet(rawValue: text) {
      self = .set(set)
    } else if isFolder(text) {
      self = .folder(text)
    } else if text.hasSuffix(".csv") {
      self = .table(text)
    } else if text.contains("ubyte") || text.contains("idx") {
      self = .idx(text)
    } else if pathExists(text) {
      throw DataError(
        file: text, problem: "not a .csv file of points, an IDX file of images or a folder of PNG images")
    } else {
      let sets = PointSet.allCases.map(\.rawValue)
      throw DataError(
        file: text,
        problem: "no such file or folder, nor a 2-D set (\(sets.joined(separator: ", "))); did you mean "
          + "'\(nearestName(to: text, among: sets))'?")
    }
  }

  public var isImages: Bool {
    switch self {
    case .set, .table: false
    case .idx, .folder: true
    }
  }
}

/// The properties of the data that a model needs.
public struct DataForm: Sendable, Hashable, Codable {
  /// Of one example: [numbers] or [channels, height, width].
  public var shape: [Int]
  /// The scaling of points for the network; nil for images, which are in -1 … 1.
  public var scale: DataScale?
  /// The standard deviation of the scaled data.
  public var deviation: Double
  /// Nil if there are no classes.
  public var classNames: [String]?
  /// Of the training data; nil if there are no captions.
  public var vocabulary: CaptionVocabulary?
  /// Of a table; nil if it has no header line.
  public var columnNames: [String]?

  public init(
    shape: [Int], scale: DataScale?, deviation: Double, classNames: [String]? = nil,
    vocabulary: CaptionVocabulary? = nil, columnNames: [String]? = nil
  ) {
    (self.shape, self.scale, self.deviation) = (shape, scale, deviation)
    (self.classNames, self.vocabulary, self.columnNames) = (classNames, vocabulary, columnNames)
  }

  public var isImages: Bool { shape.count == 3 }

  /// Data in units in which distances mean something: those of the network where columns have deviations of their own,
  /// otherwise the data's.
  func comparable(_ data: Tensor) -> Tensor {
    guard let scale, Set(scale.deviations).count > 1 else { return data }
    return scale.normalize(data)
  }

  /// The sliced Wasserstein distance of two sets of points.
  func distance(_ a: Tensor, _ b: Tensor, random: inout RandomSource) -> Double {
    slicedWassersteinDistance(comparable(a), comparable(b), random: &random)
  }

  /// The requested kind, or else the one that suits the data.
  func network(for c: DiffusionConfiguration) -> NetworkKind {
    c.network ?? (isImages ? vocabulary != nil ? .dit : .unet : .mlp)
  }
}

/// Training data, scaled for the network.
struct DiffusionData {
  /// What a run records of its data, to recognize it.
  struct Description: Codable, Sendable, Hashable {
    /// The name of a set, or a path.
    var source: String
    /// Of the contents.
    var hash: String
    /// The number of examples; nil for sets, which are drawn afresh.
    var count: Int?
  }

  /// Examples with their conditions. data: [B, ...].
  struct Batch {
    var data: Tensor
    var conditions: Conditions
  }

  let description: Description
  let form: DataForm
  private let contents: Contents
  private let training: [Int]
  private let held: [Int]
  private let captions: [[Int32]]
  /// Held-out images whose captions have words that no training caption has.
  private let withUnknownWords: Set<Int>
  /// The captions as they were written.
  let captionTexts: [String]

  private enum Contents {
    case set(PointSet)
    case points(Tensor)
    case images(ImageDataset)
  }

  /// - Throws: ``DataError``, ``ConfigurationError`` and what reading files throws.
  init(_ source: String, _ c: DiffusionConfiguration) throws {
    let kind = try DiffusionSource(source)
    try Self.requireUse(of: c, by: kind, source)
    var (captions, withUnknownWords): ([[Int32]], Set<Int>) = ([], [])
    let hash: String
    let count: Int?
    switch kind {
    case .set(let set):
      contents = .set(set)
      (count, training, held) = (nil, [], [])
      hash = set.rawValue
      // The same scale whatever the seed of the run.
      var random = RandomSource(seed: 0)
      form = DataForm(shape: [2], scale: DataScale(of: set.sample(10_000, random: &random)), deviation: 1)
      captionTexts = []
    case .table(let path):
      let file = try PointFile(path: path)
      let points = file.points
      contents = .points(points)
      hash = contentHash([points], texts: [])
      count = points.shape[0]
      (training, held) = Self.split(points.shape[0], c)
      form = DataForm(
        shape: [points.shape[1]], scale: DataScale(of: points, separately: true), deviation: 1,
        columnNames: file.names)
      captionTexts = []
    case .idx, .folder:
      let images = try Self.images(kind, c)
      contents = .images(images)
      count = images.count
      let rows = Self.split(images.count, c)
      (training, held) = rows
      hash = contentHash(
        [images.images] + (images.labels.map { [Tensor($0)] } ?? []), texts: images.captions ?? [])
      let texts = try Self.isCaptioned(images, c, source) ? images.captions : nil
      // Of the training captions: other words would have embeddings that nothing trains.
      let vocabulary = texts.map { texts in CaptionVocabulary(captions: rows.training.map { texts[$0] }) }
      if let texts, let vocabulary {
        captions = texts.map(vocabulary.encodeKnown)
        withUnknownWords = Set(rows.held.filter { !vocabulary.knowsAll(of: texts[$0]) })
      }
      captionTexts = texts ?? []
      // Their order may be that of the classes.
      var random = RandomSource(seed: 0)
      let some = images.batch(Array(random.permutation(images.count).prefix(2000)))
      form = DataForm(
        shape: Array(images.images.shape.dropFirst()), scale: nil, deviation: deviation(of: some),
        classNames: texts != nil || c.condition == ConditionKind.none || images.labels == nil ? nil : images.classNames,
        vocabulary: vocabulary)
    }
    (self.captions, self.withUnknownWords) = (captions, withUnknownWords)
    description = Description(source: count == nil ? source : absolutePath(source), hash: hash, count: count)
    if count != nil, training.count < c.batchSize {
      throw ConfigurationError(
        """
        \(source) has \(training.count) examples to train on, fewer than a batch: \(setting: "batch-size") must be at \
        most \(training.count), not \(c.batchSize)
        """)
    }
  }

  /// Rows to train on and rows held out.
  private static func split(_ count: Int, _ c: DiffusionConfiguration) -> (training: [Int], held: [Int]) {
    var random = RandomSource(seed: c.seed)
    let order = random.permutation(count)
    let heldCount = Int((Double(count) * c.validationFraction).rounded(.down))
    return (Array(order.dropLast(heldCount)), Array(order.suffix(heldCount)))
  }

  /// - Throws: `ConfigurationError` for a setting that such data have no use for.
  private static func requireUse(
    of c: DiffusionConfiguration, by kind: DiffusionSource, _ source: String
  ) throws(ConfigurationError) {
    try require(
      kind.isImages || c.condition == nil || c.condition == ConditionKind.none,
      "\(setting: "condition"): \(source) has neither classes nor captions, which only images have")
    if case .folder = kind { return }
    try require(
      c.imageSize == nil && !c.grayscale,
      "\(setting: c.imageSize == nil ? "grayscale" : "image-size") is for folders of PNG images, not for \(source)")
  }

  private static func images(_ source: DiffusionSource, _ c: DiffusionConfiguration) throws -> ImageDataset {
    if case .idx(let path) = source {
      // Only of the file's own name: a folder's may contain "images" too.
      let start = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
      let labels =
        path[..<start] + path[start...].replacing("idx3", with: "idx1").replacing("images", with: "labels")
      return try ImageDataset(
        imagesPath: path, labelsPath: labels != path && pathExists(String(labels)) ? String(labels) : nil)
    }
    guard case .folder(let path) = source else { preconditionFailure("DiffusionData: no images in \(source)") }
    return try ImageDataset(
      folder: path,
      options: ImageFolderOptions(channels: c.grayscale ? .gray : .rgb, size: c.imageSize.map { ($0, $0) }))
  }

  /// Whether the network is conditioned on captions.
  private static func isCaptioned(_ images: ImageDataset, _ c: DiffusionConfiguration, _ source: String) throws -> Bool
  {
    switch c.condition {
    case ConditionKind.none?: return false
    case .classes?:
      try require(
        images.labels != nil,
        "\(setting: "condition") is class, but \(source) has no classes: they are its subfolders, or a file of labels")
      return false
    case .captions?:
      try require(images.captions != nil, "\(setting: "condition") is caption, but \(source) has no captions")
      return true
    case nil: return images.labels == nil && images.captions != nil
    }
  }

  /// "1,000 images of 3 × 16 × 16, 381 words".
  var summary: String {
    let shape = form.shape.map(String.init).joined(separator: " × ")
    let things =
      switch contents {
      case .set(let set): "2-D set \(set.rawValue), drawn afresh"
      case .points: "\(grouped(description.count ?? 0)) rows of \(shape) numbers"
      case .images: "\(grouped(description.count ?? 0)) images of \(shape)"
      }
    return things + (form.classNames.map { ", \($0.count) classes" } ?? "")
      + (form.vocabulary.map { ", \($0.words.count) words in training captions" } ?? "")
      + (longCaptions == 0
        ? "" : "; \(grouped(longCaptions)) captions are cut after \(TextEncoder.standardLength) words")
      + (held.isEmpty ? "" : "; \(grouped(held.count)) for validation")
  }

  /// A batch to train on.
  func batch(_ count: Int, random: inout RandomSource) -> Batch {
    if case .set(let set) = contents {
      return Batch(data: form.scale!.normalize(set.sample(count, random: &random)), conditions: .none)
    }
    return batch((0..<count).map { _ in training[Int.random(in: 0..<training.count, using: &random)] })
  }

  /// Held-out examples; nil if there are none. The same at every call.
  func validation(_ count: Int) -> Batch? {
    if case .set(let set) = contents {
      var random = RandomSource(seed: 0x7A11)
      return Batch(data: form.scale!.normalize(set.sample(count, random: &random)), conditions: .none)
    }
    return held.isEmpty ? nil : batch(Array(held.prefix(count)))
  }

  /// Conditions for samples: of evenly spaced examples.
  func conditions(_ count: Int) -> (conditions: Conditions, names: [String]) {
    guard let total = description.count, form.classNames != nil || form.vocabulary != nil else { return (.none, []) }
    if let names = form.classNames {
      let trained = trainedClasses
      let labels = (0..<count).map { trained[$0 % trained.count] }
      return (.classes(labels.map { Int32($0) }), labels.map { names[$0] })
    }
    let indices = (0..<count).map { $0 * total / max(count, 1) }
    return (.captions(indices.map { captions[$0] }), indices.map { captionTexts[$0] })
  }

  /// Whether examples are drawn afresh, without end.
  var isDrawn: Bool { description.count == nil }

  /// Examples to compare samples with, in the data's own units: [count, ...]. Fresh ones for a set; drawn with
  /// replacement for files.
  func examples(_ count: Int, random: inout RandomSource) -> Tensor {
    if case .set(let set) = contents { return set.sample(count, random: &random) }
    let total = description.count ?? 0
    return rows((0..<count).map { _ in Int.random(in: 0..<total, using: &random) })
  }

  /// All that is trained on, in the data's own units.
  var trainingExamples: Tensor { rows(training) }

  /// Held-out data; nil if there is none.
  func heldOutExamples(_ count: Int) -> Tensor? { held.isEmpty ? nil : rows(Array(held.prefix(count))) }

  /// The classes for a classifier: the data's own, or the first words of captions that a few
  /// images share. Nil for points and for images without labels.
  var labeling: ImageLabeling? {
    guard case .images(let images) = contents else { return nil }
    if let names = form.classNames {
      guard names.count > 1 else { return nil }
      return ImageLabeling(
        names: names, labels: images.labels!.map { Int($0) }, training: training, held: held,
        trainedClasses: trainedClasses)
    }
    guard let vocabulary = form.vocabulary else { return nil }
    var counts: [Int32: Int] = [:]
    for row in training { counts[captions[row][0], default: 0] += 1 }
    let shared = counts.filter { $0.key != CaptionVocabulary.none && $0.value >= 5 }.keys.sorted()
    guard shared.count > 1 else { return nil }
    let labels = captions.map { shared.firstIndex(of: $0[0]) }
    return ImageLabeling(
      names: shared.map { vocabulary.words[Int($0) - 1] }, labels: labels,
      training: training.filter { labels[$0] != nil },
      // A caption whose words occur in training, but not together.
      held: held.filter { labels[$0] != nil && !withUnknownWords.contains($0) },
      trainedClasses: Array(shared.indices))
  }

  /// The classes that occur in training.
  private var trainedClasses: [Int] {
    guard case .images(let images) = contents, let labels = images.labels else { return [] }
    return Set(training.map { Int(labels[$0]) }).sorted()
  }

  private var longCaptions: Int { captions.count { $0.count > TextEncoder.standardLength } }

  /// Examples by index, with their labels.
  func batch(of indices: [Int]) -> Batch { batch(indices) }

  private func rows(_ indices: [Int]) -> Tensor {
    switch contents {
    case .set: preconditionFailure("DiffusionData: a 2-D set has no examples by number")
    case .points(let points): points.gather(Tensor(indices.map(Int32.init)))
    case .images(let images): images.batch(indices)
    }
  }

  private func batch(_ indices: [Int]) -> Batch {
    let data = rows(indices)
    guard case .images(let images) = contents else {
      return Batch(data: form.scale!.normalize(data), conditions: .none)
    }
    let conditions: Conditions =
      form.vocabulary != nil
      ? .captions(indices.map { captions[$0] })
      : form.classNames != nil ? .classes(indices.map { images.labels![$0] }) : .none
    return Batch(data: data, conditions: conditions)
  }
}

/// Classes of images, for a classifier.
struct ImageLabeling {
  var names: [String]
  /// The class of every image; nil if it has none.
  var labels: [Int?]
  /// Training images, by index.
  var training: [Int]
  /// Held-out images.
  var held: [Int]
  /// Classes that occur in training.
  var trainedClasses: [Int]
}

private func deviation(of data: Tensor) -> Double {
  let deviation = Double((data - data.mean()).square().mean().squareRoot().item())
  return deviation > 0 ? deviation : 1
}

private func contentHash(_ tensors: [Tensor], texts: [String]) -> String {
  var bytes = Array("\(tensors.map(\.shape))\(texts)".utf8)
  for tensor in tensors {
    if tensor.dtype == .uint8 {
      bytes += tensor.array(of: UInt8.self)
    } else {
      for number in tensor.cast(.float32).array() { withUnsafeBytes(of: number) { bytes += $0 } }
    }
  }
  return SHA256.hexadecimal(of: bytes)
}
