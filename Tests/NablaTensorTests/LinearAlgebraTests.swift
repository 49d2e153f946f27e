import NablaTensor
import Testing

/// Decompositions, checked by what defines them.
@Suite struct LinearAlgebraTests {
  private func matrix(_ rows: Int, _ columns: Int, seed: Int) -> Matrix {
    var numbers = Numbers(seed)
    return Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in numbers.uniform() })
  }

  private func expectClose(
    _ a: Matrix, _ b: Matrix, _ tolerance: Double = 1e-12, at location: SourceLocation = #_sourceLocation
  ) {
    #expect(a.rows == b.rows && a.columns == b.columns, sourceLocation: location)
    let difference = zip(a.values, b.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
    #expect(difference <= tolerance, sourceLocation: location)
  }

  private func unit(_ n: Int) -> Matrix {
    var result = Matrix(zeros: n, n)
    for i in 0..<n { result[i, i] = 1 }
    return result
  }

  private func diagonal(_ values: [Double]) -> Matrix {
    var result = Matrix(zeros: values.count, values.count)
    for (i, value) in values.enumerated() { result[i, i] = value }
    return result
  }

  @Test(arguments: [(1, 1), (5, 5), (13, 4), (4, 13), (31, 17), (40, 1)]) func jacobi(_ m: Int, _ n: Int) {
    let a = matrix(m, n, seed: m * 50 + n)
    let svd = SingularValueDecomposition(a)
    let k = min(m, n)
    expectClose(svd.u * diagonal(svd.singularValues) * svd.v.transposed, a)
    expectClose(svd.u.transposed * svd.u, unit(k))
    expectClose(svd.v.transposed * svd.v, unit(k))
    #expect(svd.singularValues == svd.singularValues.sorted(by: >) && svd.singularValues.count == k)
  }

  /// A rank of 2 of 5, and singular values 14 orders of magnitude apart.
  @Test func dependentColumns() {
    let product = matrix(9, 2, seed: 1) * matrix(2, 5, seed: 2)
    let values = SingularValueDecomposition(product).singularValues
    #expect(values[1] > 0.1 && values[2...].allSatisfy { $0 < 1e-14 })
    let (u, v) = (matrix(9, 3, seed: 3).orthonormalized().q, matrix(6, 3, seed: 4).orthonormalized().q)
    let spread = SingularValueDecomposition(u * diagonal([1, 1e-7, 1e-14]) * v.transposed).singularValues
    #expect(abs(spread[0] - 1) < 1e-12 && abs(spread[1] / 1e-7 - 1) < 1e-6)
    #expect(SingularValueDecomposition(Matrix(zeros: 3, 2)).singularValues == [0, 0])
  }

  @Test func orthonormalization() {
    let a = matrix(20, 7, seed: 5)
    let (q, r) = a.orthonormalized()
    expectClose(q * r, a)
    expectClose(q.transposed * q, unit(7))
    for j in 0..<7 { for i in j + 1..<7 { #expect(r[i, j] == 0) } }
  }

  @Test func productOfFactors() {
    let (b, a) = (matrix(30, 4, seed: 6), matrix(4, 21, seed: 7))
    let (svd, whole) = (SingularValueDecomposition(product: b, a), SingularValueDecomposition(b * a))
    for i in 0..<4 { #expect(abs(svd.singularValues[i] - whole.singularValues[i]) < 1e-12) }
    expectClose(svd.u * diagonal(svd.singularValues) * svd.v.transposed, b * a)
    // A rank above a dimension.
    let tall = SingularValueDecomposition(product: matrix(3, 8, seed: 8), matrix(8, 21, seed: 9))
    #expect(tall.singularValues.count == 3)
  }

  @Test(arguments: [(1, 1), (2, 2), (12, 12), (33, 20), (20, 33), (7, 1)]) func spectrum(_ m: Int, _ n: Int) {
    let weight = Tensor.numbers([m, n], seed: 11)
    let expected = SingularValueDecomposition(Matrix(weight)).singularValues
    let spectrum = SingularSpectrum(of: weight)
    #expect(spectrum.values.count == expected.count)
    for (a, b) in zip(spectrum.values, expected) { #expect(abs(a - b) < 1e-7) }
    let energy = weight.array(of: Double.self).reduce(0) { $0 + $1 * $1 }
    #expect(abs(spectrum.energy - energy) < 1e-9 * (1 + energy))
  }

  @Test func rankOfEnergy() {
    let spectrum = SingularSpectrum(values: [3, 2, 1])  // energies 9, 4, 1 of 14
    #expect(spectrum.rank(holding: 0.6) == 1 && spectrum.rank(holding: 0.9) == 2 && spectrum.rank(holding: 0.99) == 3)
    #expect(SingularSpectrum(values: [0, 0]).rank(holding: 0.9) == 0)
    let (b, a) = (Tensor.numbers([12, 3], seed: 3), Tensor.numbers([3, 9], seed: 4))
    let scaled = SingularSpectrum(ofProduct: b, a, scale: -2)
    let whole = SingularSpectrum(of: b.matmul(a) * 2)
    for (x, y) in zip(scaled.values, whole.values) { #expect(abs(x - y) < 1e-5) }
    #expect(scaled.values.count == 3)
  }

  /// Exact in a small matrix; in a larger one with decaying singular values as near as float32 products are.
  @Test func truncated() {
    var random = RandomSource(seed: 1)
    let small = Tensor.numbers([14, 9], seed: 5)
    let exact = SingularValueDecomposition(Matrix(small))
    let near = SingularValueDecomposition(small, rank: 3, random: &random)
    #expect(near.u.columns == 3 && near.v.columns == 3)
    for i in 0..<3 { #expect(abs(near.singularValues[i] - exact.singularValues[i]) < 1e-5) }

    let (u, v) = (matrix(90, 80, seed: 6).orthonormalized().q, matrix(100, 80, seed: 7).orthonormalized().q)
    let values = (0..<80).map { 1 / Double(1 + $0) }
    let large = (u * diagonal(values) * v.transposed).tensor
    let svd = SingularValueDecomposition(large, rank: 4, random: &random)
    for i in 0..<4 { #expect(abs(svd.singularValues[i] - values[i]) < 1e-5) }
    expectClose(
      svd.u * diagonal(svd.singularValues) * svd.v.transposed,
      u.prefix(columns: 4) * diagonal(Array(values[..<4])) * v.prefix(columns: 4).transposed, 1e-3)
  }

  @Test func segments() {
    let lengths = [2, 0, 3, 1]
    let x = Tensor.numbers([6], seed: 1)
    checkGradient(
      of: { $0[0].segmentSums(lengths) }, inputs: [x],
      reference: { r in
        let v = r[0].values
        return Reference([v[0] + v[1], 0, v[2] + v[3] + v[4], v[5]], [4])
      })
    checkGradient(
      of: { $0[0].segmentMeans(lengths) }, inputs: [x],
      reference: { r in
        let v = r[0].values
        return Reference([(v[0] + v[1]) / 2, 0, (v[2] + v[3] + v[4]) / 3, v[5]], [4])
      })
    checkGradient(
      of: { $0[0].repeated(lengths) }, inputs: [.numbers([4], seed: 2)],
      reference: { r in
        let v = r[0].values
        return Reference([v[0], v[0], v[2], v[2], v[2], v[3]], [6])
      })
  }
}
