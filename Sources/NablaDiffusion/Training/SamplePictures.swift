import NablaFormats
import NablaTensor

/// A grid of images in -1 … 1, small ones enlarged. images: [N, channels, height, width].
public func sampleGrid(_ images: Tensor, columns: Int? = nil) -> Image {
  let count = images.shape[0]
  let columns = columns ?? max(1, Int(Double(count).squareRoot().rounded(.up)))
  let factor = max(1, 48 / images.shape[3])
  return Image.grid(
    pictures(images).map { $0.resized(width: factor * $0.width, height: factor * $0.height) }, columns: columns)
}

/// A scatter plot of points: the data in gray, the samples over them in blue. For points of more dimensions, the first
/// two.
public func scatterPicture(_ samples: Tensor, beside data: Tensor, side: Int = 400) -> Image {
  var bytes = [UInt8](repeating: 255, count: side * side * 3)
  let (data, samples) = (coordinates(data), coordinates(samples))
  // The range of the data with a margin; samples outside are not shown.
  let (xs, ys) = (data.map(\.x).sorted(), data.map(\.y).sorted())
  guard let left = xs.first, let right = xs.last, let bottom = ys.first, let top = ys.last else {
    return Image(width: side, height: side, channels: .rgb, bytes: bytes)
  }
  let width = 1.2 * max(right - left, top - bottom, 1e-6)
  let (centerX, centerY) = ((left + right) / 2, (bottom + top) / 2)
  func draw(_ points: [(x: Double, y: Double)], _ color: [UInt8]) {
    for point in points where point.x.isFinite && point.y.isFinite {
      let x = (((point.x - centerX) / width + 0.5) * Double(side)).rounded(.down)
      let y = ((0.5 - (point.y - centerY) / width) * Double(side)).rounded(.down)
      guard x >= 0, y >= 0, x < Double(side - 1), y < Double(side - 1) else { continue }
      for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let place = ((Int(y) + dy) * side + Int(x) + dx) * 3
        bytes.replaceSubrange(place..<place + 3, with: color)
      }
    }
  }
  draw(data, [200, 200, 200])
  draw(samples, [30, 90, 220])
  return Image(width: side, height: side, channels: .rgb, bytes: bytes)
}

private func coordinates(_ points: Tensor) -> [(x: Double, y: Double)] {
  let (numbers, columns) = (points.array(of: Double.self), points.shape[1])
  return (0..<points.shape[0]).map { (numbers[$0 * columns], columns > 1 ? numbers[$0 * columns + 1] : 0) }
}
