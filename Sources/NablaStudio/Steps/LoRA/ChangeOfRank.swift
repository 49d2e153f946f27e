import NablaLanguage
import NablaTensor

extension LoRAStep {
  /// Where a fine-tune comes from: the reader's adapters, or the one that is made here.
  struct Source: Encodable {
    /// Among the reader's runs; -1 for the one made here.
    var index: Int
    var name: String
    var kind: String
  }

  struct Sources: Encodable {
    var sources: [Source]
    /// Why others could not be read.
    var problems: [String]
  }

  static let sources = Computation.answer("sources") { _, studio in
    var result = Sources(
      sources: [Source(index: -1, name: "a small model, tuned here", kind: "full fine-tune")], problems: [])
    for (index, path) in studio.options.runs.enumerated() {
      do {
        guard let folder = try adapterFolder(path) else { continue }
        let adapter = try inspected(folder)
        result.sources.append(Source(index: index, name: path, kind: "\(adapter.kind), r = \(adapter.rank)"))
      } catch {
        result.problems.append("\(error)")
      }
    }
    return result
  }

  /// One matrix of a fine-tune, cut to a rank.
  struct Change: Encodable {
    struct Matrix: Encodable {
      var name: String
      var shape: [Int]
      /// The share of energy in the first `rank` singular values.
      var kept: Double
    }

    /// How well the whole model does with all of its changes cut to a rank.
    struct Quality: Encodable {
      var base, tuned, atRank: Double
      var byRank: [[Double]]
      /// What the base, the base with changes of this rank and the tuned model write.
      var samples: [String]
    }

    var matrices: [Matrix]
    var chosen: Int
    /// σᵢ of ΔW, descending, and of a random matrix of the same norm; the latter empty for adapters.
    var values, random: [Double]
    var rank: Int
    /// Σ σᵢ² of the first `rank` over that of all, and √(1 - that): ‖ΔW - ΔW_r‖/‖ΔW‖.
    var kept, error: Double
    /// The least ranks that hold 90 and 99 %.
    var rank90, rank99: Int
    var norm: Double
    var fullParameters, rankParameters: Int
    /// ΔW and its approximation; nil for the reader's adapters, of which only factors are read.
    var change, approximation: StudioTensor?
    /// Nil without the base.
    var quality: Quality?
  }

  static let change = Computation.answer("change") { query, studio in
    let source = try query.integer("source", in: -1...max(-1, studio.options.runs.count - 1), default: -1)
    let rank = try query.integer("rank", in: 0...64, default: 4)
    return source < 0 ? try ownChange(query, rank) : try readersChange(query, studio.options.runs[source], rank)
  }.recorded(["0", "1", "2", "4", "8", "16", "32", "64"].map { ["rank": $0] })

  private static func ownChange(_ query: StudioQuery, _ rank: Int) throws -> Change {
    let tune = try SmallFineTune.trained(try tuneKey(query))
    let chosen = try query.integer("matrix", in: 0...999, default: 0) % tune.matrices.count
    let spectra = tune.matrices.map { SingularSpectrum(values: $0.svd.singularValues) }
    let matrix = tune.matrices[chosen]
    var change = described(tune.matrices.map { ($0.name, Array($0.change.shape)) }, spectra, chosen, rank)
    var random = RandomSource(seed: 0x7A)
    let unstructured = SingularSpectrum(of: random.normal(matrix.change.shape))
    let scale = (spectra[chosen].energy / unstructured.energy).squareRoot()
    change.random = unstructured.values.map { scale * $0 }
    change.change = StudioTensor(matrix.change.array(), Array(matrix.change.shape))
    change.approximation = StudioTensor(matrix.change(ofRank: rank).array(), Array(matrix.change.shape))
    let atRank = tune.model(ofRank: rank)
    change.quality = Change.Quality(
      base: tune.lossByRank[0][1], tuned: tune.loss, atRank: try tune.small.loss(atRank, on: tune.task.text),
      byRank: tune.lossByRank,
      samples: try [tune.model(ofRank: 0), atRank, tune.model(ofRank: 64)].map {
        try tune.small.sample($0, from: tune.task.start)
      })
    return change
  }

  static func tuneKey(_ query: StudioQuery) throws(StudioError) -> SmallFineTune.Key {
    .init(seed: try query.seed(), task: try query.choice("task", default: SmallModel.Task.accent))
  }

  private static func readersChange(_ query: StudioQuery, _ path: String, _ rank: Int) throws -> Change {
    guard let folder = try adapterFolder(path) else { throw StudioError("\(path) holds no adapter") }
    let adapter = try inspected(folder)
    let chosen = try query.integer("matrix", in: 0...999, default: 0) % adapter.changes.count
    return described(adapter.changes.map { ($0.name, $0.shape) }, adapter.changes.map(\.spectrum), chosen, rank)
  }

  private static func described(
    _ matrices: [(name: String, shape: [Int])], _ spectra: [SingularSpectrum], _ chosen: Int, _ rank: Int
  ) -> Change {
    let (spectrum, shape) = (spectra[chosen], matrices[chosen].shape)
    let kept = share(spectrum, rank)
    return Change(
      matrices: zip(matrices, spectra).map { .init(name: $0.name, shape: $0.shape, kept: share($1, rank)) },
      chosen: chosen, values: spectrum.values, random: [], rank: rank, kept: kept, error: max(0, 1 - kept).squareRoot(),
      rank90: spectrum.rank(holding: 0.9), rank99: spectrum.rank(holding: 0.99), norm: spectrum.energy.squareRoot(),
      fullParameters: shape.reduce(1, *), rankParameters: rank * shape.reduce(0, +), change: nil, approximation: nil,
      quality: nil)
  }

  /// The share of the energy Σ σ² that the first values hold.
  static func share(_ spectrum: SingularSpectrum, _ rank: Int) -> Double {
    let energy = spectrum.energy
    return energy > 0 ? spectrum.values.prefix(rank).reduce(0) { $0 + $1 * $1 } / energy : 1
  }

  /// The PEFT folder at a path: itself, or that of a run which trained an adapter; nil for anything else.
  private static func adapterFolder(_ path: String) throws -> String? {
    AdapterFolder.isAdapter(path) ? path : try AdapterRun(path)?.adapter
  }

  private static let kept = Kept<String, AdapterInspection>(most: 4)
  private static func inspected(_ folder: String) throws -> AdapterInspection {
    try kept.value(for: folder) { try AdapterInspection(path: folder) }
  }
}
