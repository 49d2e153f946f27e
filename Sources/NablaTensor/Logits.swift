import CNablaKernels

/// A model's logits for the next token, one per token of the vocabulary, which sampling reads and overwrites.
///
/// It points to memory owned by the caller, and is valid for the duration of that call.
public struct Logits {
  package let pointer: UnsafeMutablePointer<Float>
  /// V: the size of the vocabulary.
  public let count: Int

  /// Logits in the caller's memory, one per token.
  public init(_ memory: UnsafeMutableBufferPointer<Float>) {
    precondition(memory.count >= 1, "logits of a vocabulary of \(memory.count) tokens")
    (pointer, count) = (memory.baseAddress!, memory.count)
  }

  /// The logit of a token; -∞ makes it impossible.
  public subscript(token: Int) -> Float {
    get {
      precondition(token >= 0 && token < count, "token \(token) of a vocabulary of \(count)")
      return pointer[token]
    }
    set {
      precondition(token >= 0 && token < count, "token \(token) of a vocabulary of \(count)")
      pointer[token] = newValue
    }
  }

  /// The largest; NaN if any logit is.
  package var best: Float { nabla_best_score(Int64(count), pointer) }

  /// The first index with this value.
  package func firstIndex(of value: Float) -> Int? {
    let index = nabla_index_of(Int64(count), pointer, value)
    return index < 0 ? nil : Int(index)
  }

  /// ln softmax of all logits.
  package func logProbabilities() -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      nabla_log_softmax(1, Int64(count), pointer, buffer.baseAddress)
      initialized = count
    }
  }

  /// Indices of the numbers that are at least `least`, ascending; nil if they are more than `limit`.
  package func indices(atLeast least: Float, limit: Int) -> [Int32]? {
    var found = 0
    let indices = [Int32](unsafeUninitializedCapacity: limit) { buffer, initialized in
      found = Int(nabla_indices_at_least(Int64(count), pointer, least, buffer.baseAddress, Int64(limit)))
      initialized = Swift.min(found, limit)
    }
    return found <= limit ? indices : nil
  }

  /// Overwrites the logits with weights e^((logit - best) / temperature), and sums them.
  package func exponentiate(best: Float, temperature: Float) -> WeightSums {
    // 0 · ∞ would be NaN.
    let inverse = Swift.min(1 / temperature, .greatestFiniteMagnitude)
    let blocks = (count + WeightSums.block - 1) / WeightSums.block
    let sums = [Float](unsafeUninitializedCapacity: blocks) { buffer, initialized in
      nabla_sampling_weights(Int64(count), pointer, best, inverse, buffer.baseAddress)
      initialized = blocks
    }
    return WeightSums(sums: sums)
  }

  /// The index at which the running sum of the weights passes `mark`.
  package func index(at mark: Double, _ weights: WeightSums) -> Int {
    var left = mark
    for (block, sum) in weights.sums.enumerated() {
      guard left < Double(sum) else {
        left -= Double(sum)
        continue
      }
      for i in block * WeightSums.block..<Swift.min((block + 1) * WeightSums.block, count) {
        left -= Double(pointer[i])
        if left < 0 { return i }
      }
      // Rounding: the block's sum is not quite that of its elements.
      left = 0
    }
    return (0..<count).last { pointer[$0] > 0 } ?? 0
  }
}

/// The sums of blocks of weights.
package struct WeightSums {
  fileprivate static let block = Int(NABLA_SAMPLING_BLOCK)
  fileprivate let sums: [Float]
  package var total: Double { sums.reduce(0) { $0 + Double($1) } }
}
