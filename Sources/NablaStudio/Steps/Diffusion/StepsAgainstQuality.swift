import NablaDiffusion

extension DiffusionStep {
  /// How near samples come to the data, by how often the network was asked.
  struct Quality: Encodable {
    struct Curve: Encodable {
      var way: Way
      /// [evaluations, sliced Wasserstein distance].
      var points: [[Double]]
    }

    var curves: [Curve]
    /// The distance of two sets of fresh data.
    var floor: Double
  }

  static let quality = Computation.answer("quality") { query, _ in
    let model = try PlaneModel.asked(query)
    let ruler = Ruler(model.data)
    let counts = [1, 2, 4, 8, 10, 16, 20, 40, 80]
    return Quality(
      curves: try Way.allCases.map { way in
        Quality.Curve(
          way: way,
          points: try counts.filter { $0 * way.evaluations <= 100 }.map { count in
            [Double(count * way.evaluations), ruler.distance(try sampled(model, way, steps: count))]
          })
      }, floor: ruler.floor)
  }
}
