import NablaTensor

/// Sequences one after the other in a single row, without padding: a model reads each as if it were alone.
///
/// Neighbors that begin alike, such as the two completions of a preference pair or those of one prompt, share the places of
/// their beginning, which is computed once for all of them.
///
/// ```swift
/// let packed = PackedSequences([prompt + chosen, prompt + rejected], for: model.configuration)
/// let hidden = model.backbone(packed.tokens, segments: packed.segments)        // [1, T, C]
/// let last = packed.place(of: prompt.count + chosen.count - 1, in: 0)          // chosen's last token
/// ```
public struct PackedSequences: Sendable {
  /// [1, T] int32.
  public let tokens: Tensor
  public let segments: Segments
  private let places: [Place]

  /// Where the tokens of a sequence are: the first `shared` from `prefix` on, the others from `own` on.
  private struct Place: Sendable {
    var shared, prefix, own: Int
  }

  /// - Parameters:
  ///   - sequences: none is empty.
  ///   - configuration: of the model that will read them. With a sliding window nothing is shared.
  public init(_ sequences: some Collection<[Int32]>, for configuration: TransformerConfiguration) {
    precondition(sequences.allSatisfy { !$0.isEmpty }, "PackedSequences: a sequence is empty")
    var (tokens, places): ([Int32], [Place]) = ([], [])
    var forks: [Segments.Fork] = []
    for group in configuration.window == nil ? Self.groups(of: sequences) : sequences.map({ ([$0], 0) }) {
      let prefix = tokens.count
      tokens += group.sequences[0].prefix(group.shared)
      for sequence in group.sequences {
        places.append(Place(shared: group.shared, prefix: prefix, own: tokens.count))
        tokens += sequence.dropFirst(group.shared)
      }
      forks.append(.init(prefix: group.shared, branches: group.sequences.map { $0.count - group.shared }))
    }
    segments = Segments(forks: [forks], time: tokens.count)
    self.tokens = Tensor(tokens, [1, tokens.count])
    self.places = places
  }

  /// The place in the row of a sequence's token.
  public func place(of token: Int, in sequence: Int) -> Int {
    let place = places[sequence]
    return token < place.shared ? place.prefix + token : place.own + token - place.shared
  }

  /// Runs of neighbors and how many tokens all of a run begin with. A sequence joins the run before it where that saves
  /// more than it costs: the others may have to share less.
  private static func groups(
    of sequences: some Collection<[Int32]>
  ) -> [(sequences: [[Int32]], shared: Int)] {
    var groups: [(sequences: [[Int32]], shared: Int)] = []
    for sequence in sequences {
      if let last = groups.last {
        let n = last.sequences.count
        let common = zip(last.sequences[0], sequence).prefix(n == 1 ? .max : last.shared).prefix { $0 == $1 }.count
        if common > 0, common * n >= last.shared * (n - 1) {
          groups[groups.count - 1].sequences.append(sequence)
          groups[groups.count - 1].shared = common
          continue
        }
      }
      groups.append(([sequence], 0))
    }
    return groups
  }
}
