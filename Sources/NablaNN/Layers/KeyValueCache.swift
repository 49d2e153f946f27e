import NablaTensor

/// The keys and values of the positions a model has read, so that each new token costs one position's work.
///
/// It holds any number of sequences of any length. Memory is allocated in pages of 64 positions, as sequences grow,
/// and freed when they are removed (Kwon et al. 2023). Sequences forked from one prompt share its pages; a shared page
/// is copied when one of them writes to it.
///
/// ```swift
/// let cache = KeyValueCache(attention, layers: 12, type: .bfloat16)
/// let prompt = cache.add()
/// let hidden = model.read([(prompt, tokens)], cache)       // the prompt's rows
/// let samples = (0..<8).map { _ in cache.fork(prompt) }
/// ```
public final class KeyValueCache {
  /// One of the cache's sequences.
  public struct Sequence: Hashable, Sendable {
    fileprivate let number: Int
  }

  /// Memory for several pages, large enough for the system to back it with huge pages: attention reads every
  /// page of every sequence in each layer, and would otherwise miss the TLB constantly.
  fileprivate final class Slab {
    private static let bytes = 8 << 20
    private let storage: Storage
    private let count: Int
    var usedCount: Int { count - free.count }
    /// The addresses of the free pages.
    var free: [UnsafeMutableRawPointer]
    var isUnused: Bool { free.count == count }

    init(pageBytes: Int) {
      let size = (pageBytes + 63) / 64 * 64
      count = max(Slab.bytes / size, 1)
      let storage = Storage(bytes: count * size)
      self.storage = storage
      free = (0..<count).reversed().map { storage.pointer + $0 * size }
    }
  }

  /// Memory for 64 positions of one sequence. Shared by forks; written only while it has one owner.
  fileprivate final class Page {
    let pointer: UnsafeMutableRawPointer
    private let slab: Slab

    init(in slab: Slab) {
      self.slab = slab
      pointer = slab.free.removeLast()
    }

    deinit { slab.free.append(pointer) }
  }

  fileprivate struct Content {
    var pages: [Page] = []
    var length = 0
  }

  let layout: CachePages
  private var contents: [Sequence: Content] = [:]
  private var slabs: [Slab] = []
  private var next = 0

  public init(_ configuration: AttentionConfiguration, layers: Int, type: CacheType = .bfloat16) {
    layout = CachePages(
      type: type, layers: layers, heads: configuration.keyValueHeadCount, headSize: configuration.headSize)
  }

  /// The sequences, oldest first.
  public var sequences: [Sequence] { contents.keys.sorted { $0.number < $1.number } }

  /// A new sequence without positions.
  public func add() -> Sequence { insert(Content()) }

  /// A new sequence with the same positions so far.
  public func fork(_ sequence: Sequence) -> Sequence { insert(content(sequence)) }

  public func remove(_ sequence: Sequence) {
    contents[sequence] = nil
    slabs.removeAll(where: \.isUnused)
  }

  /// The number of positions of a sequence.
  public func length(_ sequence: Sequence) -> Int { content(sequence).length }

  /// Removes a sequence's positions from `length` on.
  public func truncate(_ sequence: Sequence, to length: Int) {
    precondition(length <= content(sequence).length, "key-value cache: cannot keep \(length) positions")
    contents[sequence]!.length = length
    contents[sequence]!.pages.removeLast(contents[sequence]!.pages.count - Self.pages(holding: length))
    slabs.removeAll(where: \.isUnused)
  }

  /// Bytes of all pages, those that sequences share counted once.
  public var bytes: Int { pageCount * pageBytes }

  /// Pages that are in use, those that sequences share counted once.
  public var pageCount: Int { slabs.reduce(0) { $0 + $1.usedCount } }

  /// Pages that these sequences use, those that they share counted once.
  public func pageCount(of sequences: some Swift.Sequence<Sequence>) -> Int {
    Set(sequences.flatMap { content($0).pages.map(ObjectIdentifier.init) }).count
  }

  /// The maximum number of pages that ``extend(_:)`` allocates until a sequence holds `length` positions: those it
  /// lacks, and a copy of its last where another sequence shares it.
  public func growth(of sequence: Sequence, to length: Int) -> Int {
    let (held, count) = (content(sequence).length, content(sequence).pages.count)
    guard length > held else { return 0 }
    let isShared =
      held % CachePages.length != 0 && !isKnownUniquelyReferenced(&contents[sequence]!.pages[count - 1])
    return Self.pages(holding: length) - count + (isShared ? 1 : 0)
  }

  /// Positions per page.
  public static let pageLength = CachePages.length
  public var pageBytes: Int { layout.bytes }
  /// Pages for this many positions.
  public static func pages(holding positions: Int) -> Int { (positions + pageLength - 1) / pageLength }

  /// Bytes per position: 2 · layers · G · D numbers, with a float32 scale for each 8-bit head.
  public static func bytesPerPosition(_ c: AttentionConfiguration, layers: Int, type: CacheType) -> Int {
    let heads = 2 * layers * c.keyValueHeadCount
    switch type {
    case .float32: return heads * c.headSize * 4
    case .bfloat16: return heads * c.headSize * 2
    case .int8: return heads * (c.headSize + 4)
    }
  }

  private func newPage() -> Page {
    if let slab = slabs.first(where: { !$0.free.isEmpty }) { return Page(in: slab) }
    slabs.append(Slab(pageBytes: layout.bytes))
    return Page(in: slabs.last!)
  }

  private func insert(_ content: Content) -> Sequence {
    defer { next += 1 }
    contents[Sequence(number: next)] = content
    return Sequence(number: next)
  }

  private func content(_ sequence: Sequence) -> Content {
    guard let content = contents[sequence] else {
      preconditionFailure("key-value cache: sequence \(sequence.number) was removed, or belongs to another cache")
    }
    return content
  }

  /// One pass of a model over new positions of some sequences. Their rows form one matrix, sequence after sequence.
  public final class Step {
    fileprivate let layout: CachePages
    fileprivate let parts: [CachePages.Part]
    /// Keeps the pages alive.
    private let owners: [Page]
    fileprivate let pages: [UnsafeMutableRawPointer]
    /// The position of each row in its sequence: int32 [R].
    public let positions: Tensor

    fileprivate init(_ layout: CachePages, _ parts: [CachePages.Part], _ owners: [Page]) {
      (self.layout, self.parts, self.owners) = (layout, parts, owners)
      pages = owners.map(\.pointer)
      positions = Tensor(parts.flatMap { part in (0..<part.count).map { Int32(part.start + $0) } })
    }

    /// The input of one layer's attention.
    public func layer(_ index: Int) -> Layer { Layer(step: self, index: index) }
  }

  /// One layer's part of a step.
  public struct Layer {
    fileprivate let step: Step
    fileprivate let index: Int
    var positions: Tensor { step.positions }

    /// Stores the keys and values of a packed projection [1, R, (H + 2G)·D], and attends to all positions so far: [1,
    /// R, H·D].
    package func attend(_ packed: Tensor, _ c: AttentionConfiguration) -> Tensor {
      precondition(!Tensor.isRecording(packed), "a key-value cache is for generation: it carries no gradients")
      precondition(c.causal, "a key-value cache is for causal attention")
      return step.layout.attend(
        packed, layer: index, parts: step.parts, pages: step.pages, queryHeads: c.headCount, window: c.window)
    }
  }

  /// Makes room for `count` more positions of each of these sequences (each at most once), which then count as
  /// cached: the caller passes them through every layer.
  public func extend(_ additions: [(sequence: Sequence, count: Int)]) -> Step {
    var (parts, owners): ([CachePages.Part], [Page]) = ([], [])
    var row = 0
    for (sequence, count) in additions {
      precondition(count >= 1, "key-value cache: \(count) new positions")
      var content = content(sequence)
      contents[sequence] = nil  // so that pages used only by this sequence have one owner
      let (start, end) = (content.length, content.length + count)
      if start % CachePages.length != 0, !isKnownUniquelyReferenced(&content.pages[content.pages.count - 1]) {
        let copy = newPage()
        copy.pointer.copyMemory(from: content.pages.last!.pointer, byteCount: layout.bytes)
        content.pages[content.pages.count - 1] = copy
      }
      while content.pages.count * CachePages.length < end { content.pages.append(newPage()) }
      content.length = end
      parts.append(.init(start: start, count: count, row: row, firstPage: owners.count))
      owners += content.pages
      row += count
      contents[sequence] = content
    }
    return Step(layout, parts, owners)
  }
}
