/// Two numbers of an environment's state and the observations for given values of them: the axes of policy maps.
package struct StateSlice: Sendable {
  package struct Axis: Sendable {
    package let name: String
    package let range: ClosedRange<Double>
  }

  package let x: Axis
  package let y: Axis
  /// The cells of a grid-shaped state space; nil for others.
  package let cells: (columns: Int, rows: Int)?
  /// A note on the rest of the state.
  package let remark: String
  /// The observation at (x, y).
  package let observation: @Sendable (_ x: Double, _ y: Double) -> [Float]

  init(
    x: (String, ClosedRange<Double>), y: (String, ClosedRange<Double>), cells: (columns: Int, rows: Int)? = nil,
    remark: String = "", _ observation: @escaping @Sendable (Double, Double) -> [Float]
  ) {
    self.x = Axis(name: x.0, range: x.1)
    self.y = Axis(name: y.0, range: y.1)
    (self.cells, self.remark, self.observation) = (cells, remark, observation)
  }
}
