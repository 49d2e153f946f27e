import NablaTensor

/// The 4 × 3 world of Russell and Norvig ("Artificial intelligence: a modern approach", chapter on sequential
/// decisions): a goal worth 1, a pit worth -1, a wall, and ground so slippery that two in ten moves go sideways. Small
/// enough to solve by hand: without discounting, the start has value 0.705 under the optimal policy.
///
/// ```
/// ┌───┬───┬───┬───┐
/// │   │   │   │ G │
/// ├───┼───┼───┼───┤
/// │   │███│   │ P │
/// ├───┼───┼───┼───┤
/// │ S │   │   │   │
/// └───┴───┴───┴───┘
/// ```
///
/// - Observation: 1 for the cell the agent is in and 0 for the other eleven; cell = 4 · row + column, rows from the
///   bottom.
/// - Actions: up, right, down, left. With probability 0.8 the agent moves so, with 0.1 each to either side of it; a
///   wall stops it.
/// - Reward: -0.04 per step, and ±1 for goal and pit, where the episode ends. Cut off after 100 steps.
package struct GridWorld: PicturedDynamics {
  package static let columns = 4
  package static let rows = 3
  package static let wall = 5
  package static let goal = 11
  package static let pit = 7

  package let name = "GridWorld"
  package let observationSpace = ObservationSpace(
    (0..<12).map { "row \($0 / 4), column \($0 % 4)" }, low: [Float](repeating: 0, count: 12),
    high: [Float](repeating: 1, count: 12))
  package let actionSpace = ActionSpace.discrete(4)
  package let timeLimit: Int? = 100
  package let stateNames = ["cell"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["up", "right", "down", "left"], secondsPerStep: 0.5,
      slice: StateSlice(
        x: ("column", -0.5...3.5), y: ("row", -0.5...2.5), cells: (Self.columns, Self.rows),
        remark:
          "Nothing is learned about the wall in the middle, nor about goal and pit on the right, where episodes end."
      ) { column, row in
        let cell = Int(row.rounded()) * Self.columns + Int(column.rounded())
        return (0..<12).map { $0 == cell ? 1 : 0 }
      })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    batch[0, i] = 0
    observe(i, batch)
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      var random = batch.random(i)
      let chance = random.uniform()
      let turn = chance < 0.8 ? 0 : chance < 0.9 ? 1 : 3
      let cell = Self.neighbor(of: Int(batch[0, i]), direction: (Int(batch.actions.discrete[i]) + turn) % 4)
      batch[0, i] = Double(cell)
      observe(i, batch)
      batch.rewards[i] = -0.04 + (cell == Self.goal ? 1 : cell == Self.pit ? -1 : 0)
      batch.terminated[i] = cell == Self.goal || cell == Self.pit
    }
  }

  private func observe(_ i: Int, _ batch: EnvironmentBatch) {
    for cell in 0..<12 { batch.observations[12 * i + cell] = cell == Int(batch[0, i]) ? 1 : 0 }
  }

  /// Where a move leads: up, right, down or left.
  package static func neighbor(of cell: Int, direction: Int) -> Int {
    let row = cell / columns + [1, 0, -1, 0][direction]
    let column = cell % columns + [0, 1, 0, -1][direction]
    let next = columns * row + column
    return 0..<rows ~= row && 0..<columns ~= column && next != wall ? next : cell
  }
}
