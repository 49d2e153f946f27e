import NablaTensor

/// The sliced 2-Wasserstein distance of two sets of points [N, d]: the root mean square, over random directions, of the
/// distance between the sets projected on the direction, where the optimal transport is that of the sorted numbers
/// (Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures").
///
/// Two samples of one distribution are not at distance 0: compare with the distance of fresh samples of the same size.
public func slicedWassersteinDistance(
  _ a: Tensor, _ b: Tensor, projections: Int = 256, random: inout RandomSource
) -> Double {
  precondition(
    a.rank == 2 && a.shape == b.shape,
    "slicedWassersteinDistance: \(a.shape) and \(b.shape); two sets of equal size are required"
  )
  let directions = random.normal([a.shape[1], projections])
  let unit = directions / directions.square().sum(axis: 0, keepingDimension: true).squareRoot()
  func projected(_ points: Tensor) -> [[Float]] {
    let columns = points.matmul(unit).transposed()
    return (0..<projections).map { columns[$0].array().sorted() }
  }
  var sum = 0.0
  for (u, v) in zip(projected(a), projected(b)) {
    sum += zip(u, v).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) } / Double(u.count)
  }
  return (sum / Double(projections)).squareRoot()
}
