import CNablaKernels

extension Tensor {
  /// Σ x² in float64, by blocks of a fixed size so that any number of threads gives the same bits. No gradient.
  package func sumOfSquares() -> Double {
    let x = stopGradient().cast(.float32)
    let blocks = (count + elementGrain - 1) / elementGrain
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: Swift.max(blocks, 1)) { sums in
      let base = sums.baseAddress!
      parallelFor(blocks, grain: 1) { part in
        for block in part {
          let first = block * elementGrain
          base[block] = nabla_sum_of_squares(Int64(Swift.min(elementGrain, count - first)), x.floats + first)
        }
      }
      return (0..<blocks).reduce(0) { $0 + base[$1] }
    }
  }
}
