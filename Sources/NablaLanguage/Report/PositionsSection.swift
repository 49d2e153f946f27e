import NablaFormats
import NablaReport
import FoundationEssentials

/// The position table as a map: position by dimension.
func positionsSection(_ analysis: Analysis?) throws -> ReportSection? {
  guard let positions = analysis?.positions, positions.rows > 0, positions.columns > 0 else { return nil }
  let explanation =
    switch positions.kind {
    case .learned:
      """
      One trained vector per position, added to the token embedding. Smooth bands mean that nearby positions became
      similar; noise means that they were rarely trained.
      """
    case .sinusoidal:
      """
      The fixed table added to the token embeddings: pairs of dimensions are the sine and cosine of one frequency,
      which falls from left to right.
      """
    case .rotary:
      """
      Cosines of the angles by which queries and keys are rotated. The frequency falls across the dimensions: high
      frequencies distinguish nearby positions, low ones distant positions.
      """
    }
  let data = PositionData(
    rows: positions.rows, columns: positions.columns, minimum: positions.minimum, maximum: positions.maximum,
    values: positions.values)
  return ReportSection(
    id: "positions", title: "Positions",
    introduction: "<p>\(positions.kind.rawValue.capitalized) positions. \(explanation)</p>",
    equations: positions.kind == .learned ? [] : [positions.kind == .rotary ? .rotary : .sinusoidal],
    html: """
      <noscript><p class="note">The map needs JavaScript.</p></noscript>
      <figure class="card positions">
      <div class="plane">
      <span class="y-title">position</span>
      <div class="y-ticks"><span>0</span><span>\(positions.rows - 1)</span></div>
      <canvas width="\(positions.columns)" height="\(positions.rows)" role="img" \
      aria-label="Map of \(positions.rows) positions by \(positions.columns) dimensions"></canvas>
      <div class="x-ticks"><span>0</span><span>dimension</span><span>\(positions.columns - 1)</span></div>
      </div>
      <div class="scale"><span>\(significant(positions.minimum, digits: 3))</span>
      <canvas width="256" height="1"></canvas>
      <span>\(significant(positions.maximum, digits: 3))</span></div>
      </figure>
      \(try jsonIsland(id: "positions-data", data))
      """,
    script: String(decoding: PackageResources.positions_js, as: UTF8.self))
}

/// The data for the script.
private struct PositionData: Encodable {
  var rows: Int
  var columns: Int
  var minimum: Double
  var maximum: Double
  /// [rows, columns] bytes.
  var values: Data
}
