import NablaFormats

/// Examples of one shape in memory, in the order of their files.
///
/// ```swift
/// let dataset = try Dataset.read(["pairs.jsonl.gz"])
/// let (training, heldOut) = dataset.split(heldOutFraction: 0.1, seed: 42)
/// ```
public struct Dataset: Sendable, RandomAccessCollection {
  public let examples: [DatasetExample]
  /// The files in the order they were read.
  public let files: [String]

  public init(_ examples: [DatasetExample], files: [String]) { (self.examples, self.files) = (examples, files) }

  /// Reads JSONL files, compressed with gzip or not.
  ///
  /// - Throws: ``DatasetError``, `GzipError`, `LineError` or `FileError`, each naming the file.
  public static func read(_ files: [String]) throws -> Dataset {
    var reader = DatasetReader(files)
    var examples: [DatasetExample] = []
    while let example = try reader.next() { examples.append(example) }
    return Dataset(examples, files: files)
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { examples.count }
  public subscript(index: Int) -> DatasetExample { examples[index] }

  /// The shape of all examples; nil when there are none.
  public var shape: DatasetShape? { examples.first?.shape }
  public var isConversational: Bool { examples.first?.isConversational ?? false }

  /// Splits off held-out examples, drawn by `seed`; both parts keep the order of the file.
  ///
  /// - Parameters:
  ///   - heldOutFraction: In 0..<1. The number is rounded, and at least 1 if the fraction is not 0 and there are at
  ///     least two examples.
  ///   - seed: The same seed holds out the same examples.
  public func split(heldOutFraction: Double, seed: UInt64) -> (training: Dataset, heldOut: Dataset) {
    precondition((0..<1).contains(heldOutFraction), "split: the fraction \(heldOutFraction) is not in 0..<1")
    let rounded = Int((Double(count) * heldOutFraction).rounded())
    let number = heldOutFraction > 0 && count > 1 ? Swift.min(Swift.max(rounded, 1), count - 1) : 0
    if number == 0 { return (self, Dataset([], files: files)) }
    let order = Permutation(count: count, seed: seed, stream: Self.splitStream)
    let held = Set((0..<number).lazy.map { order[$0] })
    return (
      Dataset(indices.filter { !held.contains($0) }.map { self[$0] }, files: files),
      Dataset(indices.filter { held.contains($0) }.map { self[$0] }, files: files)
    )
  }

  /// Different from the streams that shuffle epochs.
  private static let splitStream: UInt64 = 0x5EED_5911_7000_0000

  /// SHA-256 of all training data, as 64 hexadecimal digits: a resumed run compares it, and it is part of the key of
  /// reference log-probabilities.
  public func contentHash() -> String {
    let hash = SHA256()
    for example in examples {
      // JSON text ends before the next begins, and the columns never include all those of the content, so that no two
      // datasets give the same bytes.
      var text = example.content.json.serialized() + "\n"
      if let tools = example.tools { text += JSONValue.array(tools).serialized() + "\n" }
      if example.columns.count > 0 { text += JSONValue.object(example.columns).serialized() + "\n" }
      text.withUTF8Bytes { hash.update(UnsafeRawBufferPointer($0)) }
    }
    return hash.finalize().map { String($0, radix: 16).leftPadded(to: 2) }.joined()
  }
}
