import NablaTensor

/// The assignment of noise to data within a batch with the least total squared distance (Tong et al. 2024,
/// "Improving and generalizing flow-based generative models with minibatch optimal transport"). Paths then hardly
/// cross, the flow is straighter, and fewer steps sample it.
public enum OptimalTransport {
  /// Noise in the order of the data it is assigned to. data, noise: [B, ...]. The data keep their order, and with it
  /// their labels.
  public static func coupled(_ noise: Tensor, to data: Tensor) -> Tensor {
    let rows = data.shape[0]
    let (x, z) = (data.reshaped([rows, -1]), noise.reshaped([rows, -1]))
    // |x - z|² without the terms that do not depend on the assignment.
    let cost = (x.matmul(z, transposingOther: true) * -2).array(of: Double.self)
    return noise.gather(Tensor(assignment(cost, rows).map(Int32.init)))
  }

  /// The column of each row in the assignment of least total cost: shortest augmenting paths with potentials (Jonker &
  /// Volgenant 1987), O(n³). cost: n × n, row by row.
  static func assignment(_ cost: [Double], _ n: Int) -> [Int] {
    var (rowPotential, columnPotential) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
    var rowOf = [Int](repeating: -1, count: n)  // of each column
    for start in 0..<n {
      var (distance, previous) = ([Double](repeating: .infinity, count: n), [Int](repeating: -1, count: n))
      var visited = [Bool](repeating: false, count: n)
      var (row, column, reached) = (start, -1, 0.0)
      var path: [(row: Int, column: Int)] = []  // rows and the columns through which they were reached
      repeat {
        path.append((row, column))
        var (nearest, next) = (Double.infinity, -1)
        for j in 0..<n where !visited[j] {
          let length = reached + cost[row * n + j] - rowPotential[row] - columnPotential[j]
          if length < distance[j] { (distance[j], previous[j]) = (length, column) }
          if distance[j] < nearest { (nearest, next) = (distance[j], j) }
        }
        reached = nearest
        column = next
        visited[column] = true
        row = rowOf[column]
      } while row >= 0
      for (row, through) in path {
        rowPotential[row] += reached - (through < 0 ? 0 : distance[through])
        if through >= 0 { columnPotential[through] -= reached - distance[through] }
      }
      // Along the path, each column takes the row of the one before it.
      while column >= 0 {
        let before = previous[column]
        rowOf[column] = before < 0 ? start : rowOf[before]
        column = before
      }
    }
    var result = [Int](repeating: 0, count: n)
    for (column, row) in rowOf.enumerated() { result[row] = column }
    return result
  }
}
