import Glibc
import NablaDiffusion
import NablaTensor

/// The distribution that step 3 is about: a well-known shape, or what the reader drew. 1,024 points of it are what there
/// is to learn from.
struct PlaneData: Sendable {
  enum Shape: String, CaseIterable {
    case moons, spirals, rings, checkerboard, datasaurus, drawn
    case gaussians = "eight-gaussians"
  }

  /// Everything that decides the data.
  struct Key: Hashable, Sendable {
    var shape: Shape
    /// Places that were drawn with each of two inks, in the page's units.
    var marks: [[SIMD2<Float>]] = []
    var seed: UInt64
  }

  let key: Key
  /// [1024, 2], of mean 0 and standard deviation 1 but for what was drawn, which stays where it is.
  let points: Tensor
  let labels: [Int32]
  /// What the classes are called.
  let classes: [String]
  private let scale: DataScale

  static let count = 1024
  /// Half the side of the plane that the page shows.
  static let reach: Float = 3.2
  /// The standard deviation of points around a mark of the pen.
  private static let penWidth: Float = 0.07

  init(_ query: StudioQuery) throws {
    let shape = try query.choice("shape", default: Shape.moons)
    var key = Key(shape: shape, seed: try query.seed())
    if shape == .drawn {
      key.marks = try ["ink1", "ink2"].map { try Self.marks(query.text($0, atMost: 1000, default: ""), $0) }
      if key.marks.allSatisfy(\.isEmpty) {
        throw StudioError("nothing is drawn yet: draw some points, or choose a shape")
      }
    }
    self.init(key)
  }

  init(_ key: Key) {
    self.key = key
    var random = RandomSource(seed: 0)
    // The same scale whatever the seed.
    scale =
      key.shape.set.map { DataScale(of: $0.sample(10_000, random: &random)) }
      ?? DataScale(mean: [0, 0], deviations: [1, 1])
    classes =
      key.shape == .drawn
      ? zip(["first ink", "second ink"], key.marks).filter { !$1.isEmpty }.map(\.0) : key.shape.classes
    (points, labels) = Self.draw(key, scale, Self.count, seed: key.seed)
  }

  /// Other points of the same distribution: [count, 2].
  func fresh(_ count: Int, seed: UInt64) -> Tensor { Self.draw(key, scale, count, seed: seed ^ 0x5EED_F4E5).points }

  /// The class of a point of the plane, by where it lies; nil for what was drawn.
  func label(of point: SIMD2<Float>) -> Int? {
    key.shape.label(
      Double(point.x * scale.deviations[0] + scale.mean[0]), Double(point.y * scale.deviations[1] + scale.mean[1]))
  }

  private static func draw(_ key: Key, _ scale: DataScale, _ count: Int, seed: UInt64) -> (
    points: Tensor, labels: [Int32]
  ) {
    var random = RandomSource(seed: seed)
    if let set = key.shape.set {
      let raw = set.sample(count, random: &random)
      let numbers = raw.array(of: Double.self)
      let labels = (0..<count).map { Int32(key.shape.label(numbers[2 * $0], numbers[2 * $0 + 1])!) }
      return (scale.normalize(raw), labels)
    }
    let inks = key.marks.filter { !$0.isEmpty }
    let all = inks.enumerated().flatMap { ink, marks in marks.map { ($0, Int32(ink)) } }
    let chosen = (0..<count).map { _ in all[Int.random(in: 0..<all.count, using: &random)] }
    let places = Tensor(chosen.flatMap { [$0.0.x, $0.0.y] }, [count, 2])
    return (places + random.normal([count, 2], standardDeviation: penWidth), chosen.map(\.1))
  }

  /// What was drawn, as an address holds it: two characters a mark, its column and row among 64 × 64 cells.
  static func marks(_ text: String, _ name: String) throws(StudioError) -> [SIMD2<Float>] {
    let digits = try text.utf8.map { character throws(StudioError) -> Int in
      guard let digit = alphabet.firstIndex(of: character) else {
        throw StudioError("\(name) must be pairs of letters, digits, - and _: columns and rows of what was drawn")
      }
      return digit
    }
    if digits.count % 2 != 0 {
      throw StudioError("\(name) must be pairs of characters, not \(digits.count) characters")
    }
    let cell = 2 * reach / 64
    return stride(from: 0, to: digits.count, by: 2).map { i in
      SIMD2(-reach + (Float(digits[i]) + 0.5) * cell, -reach + (Float(digits[i + 1]) + 0.5) * cell)
    }
  }

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
}

extension PlaneData.Shape {
  var set: PointSet? { PointSet(rawValue: rawValue) }

  var classes: [String] {
    switch self {
    case .moons: ["upper moon", "lower moon"]
    case .spirals: ["first arm", "second arm"]
    case .rings: ["inner ring", "middle ring", "outer ring"]
    case .gaussians: ["east", "northeast", "north", "northwest", "west", "southwest", "south", "southeast"]
    case .checkerboard: ["column 1", "column 2", "column 3", "column 4"]
    case .datasaurus: ["lower half", "upper half"]
    case .drawn: ["first ink", "second ink"]
    }
  }

  /// Which part of the shape is nearest, in the units of ``PointSet``.
  func label(_ x: Double, _ y: Double) -> Int? {
    switch self {
    case .moons:
      func distanceFromUpper(_ u: Double, _ v: Double) -> Double {
        v >= 0 ? abs(hypot(u, v) - 1) : min(hypot(u - 1, v), hypot(u + 1, v))
      }
      let (u, v) = ((x + 1) / 3, (y + 1) / 3)
      // The lower moon is the upper one turned by half a turn around (½, ¼).
      return distanceFromUpper(u, v) <= distanceFromUpper(1 - u, 0.5 - v) ? 0 : 1
    case .spirals:
      let turns = (atan2(y, x) - 3 * .pi * hypot(x, y) / 4) / .pi
      return Int(turns.rounded()) & 1
    case .rings: return min(max(Int((hypot(x, y) / 1.5).rounded()), 1), 3) - 1
    case .gaussians: return Int((atan2(y, x) / (.pi / 4)).rounded() + 8) % 8
    case .checkerboard: return min(max(Int(((x + 4) / 2).rounded(.down)), 0), 3)
    case .datasaurus: return y > 0 ? 1 : 0
    case .drawn: return nil
    }
  }
}
