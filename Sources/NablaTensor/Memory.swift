import Glibc
import Synchronization

/// The memory used by the tensors of this process.
public enum Memory {
  public struct Statistics: Sendable {
    /// Bytes in living tensors.
    public var current: Int
    /// The largest `current` so far.
    public var peak: Int
    /// Bytes kept for reuse.
    public var cached: Int
  }

  public static var statistics: Statistics {
    pool.withLock { Statistics(current: $0.current, peak: $0.peak, cached: $0.cached) }
  }

  public static func resetPeak() {
    pool.withLock { $0.peak = $0.current }
  }

  /// Resident bytes of this process, tensors or not; 0 where the system does not report it.
  public static var resident: Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    guard fgets(&text, 128, file) != nil else { return 0 }
    let fields = text.split(separator: CChar(UInt8(ascii: " ")))
    let pages = fields.count > 1 ? Int(String(decoding: fields[1].map(UInt8.init), as: UTF8.self)) ?? 0 : 0
    return pages * Int(getpagesize())
  }

  /// Bytes that the system could give to this process without swapping, as it estimates; nil where it does not
  /// report it.
  public static var available: Int? {
    guard let file = fopen("/proc/meminfo", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard text.hasPrefix("MemAvailable:") else { continue }
      return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }

  /// Returns the blocks kept for reuse to the system.
  public static func releaseCached() {
    pool.withLock { pool in
      for index in pool.free.indices {
        for block in pool.free[index] { free(UnsafeMutableRawPointer(bitPattern: block)) }
        pool.free[index].removeAll()
      }
      pool.cached = 0
    }
  }

  // A training step requests the same sizes again and again, so blocks are cached by size class, four per power of
  // two (waste is at most 25 %, of address space rather than memory: untouched pages are not resident).
  fileprivate struct Pool: ~Copyable {
    /// Addresses of free blocks of each class.
    var free: [[UInt]] = Array(repeating: [], count: 4 * 48)
    var current = 0
    var peak = 0
    var cached = 0
    /// The largest `current` ever.
    var largest = 0

    mutating func take(_ size: Int) {
      current += size
      peak = max(peak, current)
    }

    /// Frees blocks, the largest first, until all blocks take at most a quarter more than tensors ever did at once.
    /// Steps on texts of different lengths need blocks of different classes: each would keep its own beside the others'.
    mutating func trim() {
      largest = max(largest, current)
      var index = free.count
      while current + cached > largest + largest / 4, index > 0 {
        while current + cached > largest + largest / 4, let block = free[index - 1].popLast() {
          Glibc.free(UnsafeMutableRawPointer(bitPattern: block))
          cached -= Memory.blockSize(index - 1)
        }
        index -= 1
      }
    }
  }

  fileprivate static let pool = Mutex(Pool())

  /// The class of a request and the size of its blocks: sizes 64·(4…7)·2ᵏ/4.
  fileprivate static func sizeClass(_ bytes: Int) -> (index: Int, size: Int) {
    if bytes <= 256 {
      let quarter = max((bytes + 63) / 64, 1)
      return (quarter - 1, quarter * 64)
    }
    let exponent = Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount
    let step = 1 << (exponent - 2)
    let quarters = (bytes + step - 1) / step  // 5…8
    return (4 * (exponent - 7) + quarters - 5, quarters * step)
  }

  /// The size of the blocks of a class.
  fileprivate static func blockSize(_ index: Int) -> Int {
    index < 4 ? (index + 1) * 64 : (index % 4 + 5) << (index / 4 + 5)
  }

  fileprivate static func allocate(_ bytes: Int) -> (pointer: UnsafeMutableRawPointer, index: Int, size: Int) {
    let (index, size) = sizeClass(bytes)
    let reused = pool.withLock { pool -> (block: UInt, index: Int)? in
      // A step on longer texts leaves larger blocks: they serve too, rather than beside new ones.
      for candidate in index..<min(index + 4, pool.free.count) {
        guard let block = pool.free[candidate].popLast() else { continue }
        pool.take(blockSize(candidate))
        pool.cached -= blockSize(candidate)
        return (block, candidate)
      }
      pool.take(size)
      pool.trim()
      return nil
    }
    if let reused {
      return (UnsafeMutableRawPointer(bitPattern: reused.block)!, reused.index, blockSize(reused.index))
    }
    // Large blocks use huge pages: matrix multiplications then miss the TLB far less.
    let large = size >= 4 << 20
    var block: UnsafeMutableRawPointer?
    guard posix_memalign(&block, large ? 2 << 20 : 64, size) == 0, let block else {
      // No operation could continue without its result. Large demands are checked beforehand: the
      // inference engine admits requests by the cache pages that they need.
      fatalError("out of memory: no \(size) bytes for a tensor (\(statistics.current) bytes are in use)")
    }
    if large { madvise(block, size, MADV_HUGEPAGE) }
    return (block, index, size)
  }

  fileprivate static func release(_ pointer: UnsafeMutableRawPointer, index: Int, size: Int) {
    let address = UInt(bitPattern: pointer)
    pool.withLock { pool in
      pool.current -= size
      pool.cached += size
      pool.free[index].append(address)
    }
  }
}

/// A block of memory that tensors share.
///
/// Unchecked: elements are written only by the operation that makes the tensor, before anyone else can see it, and by
/// optimizers, which own the parameters while they step.
package final class Storage: @unchecked Sendable {
  package let pointer: UnsafeMutableRawPointer
  /// The requested size; the block may be larger.
  package let bytes: Int
  private let index: Int
  private let size: Int
  /// Keeps memory that belongs to someone else (a mapped file) alive.
  private let owner: AnyObject?
  /// Whether the memory is someone else's, and not to be written to.
  package var isBorrowed: Bool { owner != nil }
  /// Cached forms of the elements, for frequent readers. Several threads may be the first to create them.
  private let copies = Mutex(Copies())

  private struct Copies {
    var bfloat16: Storage?
    var transposed: (offset: Int, shape: Shape, weights: Storage)?
  }

  /// The same elements in bfloat16, which optimizers refresh as they step (see `Tensor.computeCopy`).
  package var bfloat16Copy: Storage? {
    get { copies.withLock(\.bfloat16) }
    set { copies.withLock { $0.bfloat16 = newValue } }
  }

  /// A matrix in this memory in the layout of `Tensor.perceptron`; optimizers discard it as they step.
  package var transposed: (offset: Int, shape: Shape, weights: Storage)? {
    get { copies.withLock(\.transposed) }
    set { copies.withLock { $0.transposed = newValue } }
  }

  /// The scales of NF4 codes, set by the operation that makes them.
  package var nf4Scales: NF4.Scales?

  package init(bytes: Int) {
    self.bytes = bytes
    (pointer, index, size) = Memory.allocate(bytes)
    owner = nil
  }

  /// Read-only memory that `owner` keeps alive.
  package init(borrowing pointer: UnsafeRawPointer, bytes: Int, from owner: AnyObject) {
    self.pointer = UnsafeMutableRawPointer(mutating: pointer)
    self.bytes = bytes
    index = 0
    size = 0
    self.owner = owner
  }

  deinit {
    if owner == nil { Memory.release(pointer, index: index, size: size) }
  }
}
