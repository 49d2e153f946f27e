import CNablaKernels

/// The storage type of a key-value cache.
public enum CacheType: String, Sendable, Codable, CaseIterable {
  /// Exactly as computed in float32.
  case float32 = "f32"
  case bfloat16 = "bf16"
  /// 8 bits, with one scale for each position and head.
  case int8 = "q8"

  fileprivate var kernelType: nabla_cache_type {
    switch self {
    case .float32: NABLA_CACHE_FLOAT32
    case .bfloat16: NABLA_CACHE_BFLOAT16
    case .int8: NABLA_CACHE_INT8
    }
  }
}

/// The pages of a key-value cache: G key/value heads of size D in each of `layers`, 64 positions per page.
package struct CachePages: Sendable {
  package let type: CacheType
  package let layers, heads, headSize: Int

  package init(type: CacheType, layers: Int, heads: Int, headSize: Int) {
    (self.type, self.layers, self.heads, self.headSize) = (type, layers, heads, headSize)
  }

  package static let length = Int(NABLA_CACHE_PAGE)
  package var bytes: Int { layers * layerBytes }
  private var layerBytes: Int { heads * Int(nabla_cache_head_bytes(type.kernelType, Int32(headSize))) }

  /// The queries of one forward pass: `count` new positions after the first `start` of a sequence.
  package struct Part {
    package var start: Int
    package var count: Int
    /// The index of the part's first row in the matrix that holds the rows of all parts, one after the other.
    package var row: Int
    /// The index of the sequence's first page in the table of all pages.
    package var firstPage: Int

    package init(start: Int, count: Int, row: Int, firstPage: Int) {
      (self.start, self.count, self.row, self.firstPage) = (start, count, row, firstPage)
    }
  }

  /// Stores the new keys and values of one layer, then attends to all positions so far.
  ///
  /// - Parameters:
  ///   - packed: [1, R, (H + 2G)·D] float32 or bfloat16, positions applied: the rows of all parts.
  ///   - pages: of every part's sequence, with room for the new positions.
  /// - Returns: [1, R, H·D] in packed's type.
  package func attend(
    _ packed: Tensor, layer: Int, parts: [Part], pages: [UnsafeMutableRawPointer], queryHeads: Int, window: Int?
  ) -> Tensor {
    let x = packed.stopGradient().inComputeType
    write(x, layer: layer, parts: parts, pages: pages)
    let out = Tensor(uninitialized: [1, x.shape[1], queryHeads * headSize], dtype: x.dtype)
    attend(x, into: out, layer: layer, parts, pages, queryHeads: queryHeads, window: window)
    return out
  }

  private func write(_ x: Tensor, layer: Int, parts: [Part], pages: [UnsafeMutableRawPointer]) {
    let (width, size) = (x.shape[2], x.dtype.size)
    let keys = width - 2 * heads * headSize
    var runs: [(page: UnsafeMutableRawPointer, slot: Int, row: Int, count: Int)] = []
    for part in parts {
      var position = part.start
      while position < part.start + part.count {
        let slot = position % Self.length
        let count = Swift.min(Self.length - slot, part.start + part.count - position)
        runs.append(
          (pages[part.firstPage + position / Self.length], slot, part.row + position - part.start, count))
        position += count
      }
    }
    // Even a few rows are worth a thread: a page stores keys by dimension, and each dimension is a
    // cache miss.
    parallelFor(runs.count, grain: Swift.max(1, 4 * runs.count / Swift.max(x.shape[1], 1))) {
      for run in runs[$0] {
        let k = x.pointer + (run.row * width + keys) * size
        nabla_cache_write(
          type.kernelType, Int32(heads), Int32(headSize), x.dtype == .bfloat16, Int64(run.count), k,
          k + heads * headSize * size, Int64(width), run.page + layer * layerBytes, Int32(run.slot))
      }
    }
  }

  // The same kernel for a prompt's rows and for single rows: a row's bits then depend only on the cache and its
  // position. (The tiles used in training would process a prompt of 2,757 tokens 6 to 8 % faster.)
  private func attend(
    _ x: Tensor, into out: Tensor, layer: Int, _ parts: [Part], _ pages: [UnsafeMutableRawPointer], queryHeads: Int,
    window: Int?
  ) {
    let table = pages.map { Optional(UnsafeRawPointer($0)) }
    let lengths = parts.flatMap { part in (0..<part.count).map { Int32(part.start + $0 + 1) } }
    let firstPages = parts.flatMap { Array(repeating: Int32($0.firstPage), count: $0.count) }
    precondition(lengths.count == x.shape[1], "attention: \(lengths.count) positions for \(x.shape[1]) rows")
    var problem = nabla_decode()
    problem.type = type.kernelType
    problem.rows = Int64(lengths.count)
    (problem.queryHeadCount, problem.keyValueHeadCount) = (Int32(queryHeads), Int32(heads))
    (problem.headSize, problem.scale) = (Int32(headSize), 1 / Float(headSize).squareRoot())
    problem.window = Int32(window ?? 0)
    problem.bfloat16 = x.dtype == .bfloat16
    problem.q = UnsafeRawPointer(x.pointer)
    problem.queryStride = Int64(x.shape[2])
    problem.out = out.pointer
    problem.outStride = Int64(out.shape[2])
    problem.layerOffset = Int64(layer * layerBytes)
    lengths.withUnsafeBufferPointer { lengths in
      firstPages.withUnsafeBufferPointer { firstPages in
        table.withUnsafeBufferPointer { table in
          problem.lengths = lengths.baseAddress
          problem.firstPage = firstPages.baseAddress
          problem.pages = table.baseAddress
          nabla_decode_attention(&problem, Int32(Threads.count))
        }
      }
    }
  }
}
