import NablaLanguage
import NablaNN
import NablaTensor
import Testing

/// Sequences that share what they begin with, against each alone.
@Suite struct PackedSequencesTests {
  static let cases: [(name: String, sequences: [[Int32]], length: Int)] = [
    ("a pair", [[1, 2, 3, 4, 5], [1, 2, 3, 6]], 6),
    ("one inside the other", [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2]], 6),
    ("equal ones", [[7, 8, 9], [7, 8, 9], [7, 8, 9]], 3),
    ("nothing shared", [[1, 2], [3, 4], [5]], 5),
    // All begin with 1; the pairs share more.
    ("pairs that share a little", [[1, 2, 3, 4], [1, 2, 3, 5], [1, 6, 7, 8, 9], [1, 6, 7, 8, 2]], 11),
  ]

  @Test(arguments: cases.indices) func readsAsAlone(_ index: Int) throws {
    let (_, sequences, length) = Self.cases[index]
    for (positions, shares) in [(PositionKind.rotary, true), (.learned, true), (.rotary, false)] {
      let model = lively(
        configuration {
          $0.positions = positions
          $0.window = shares ? nil : 2
        })
      let packed = PackedSequences(sequences, for: model.configuration)
      #expect(packed.tokens.count == (shares ? length : sequences.joined().count))
      let width = model.configuration.width
      let places = sequences.enumerated().map { i, s in s.indices.map { packed.place(of: $0, in: i) } }
      let read = packed.tokens.array(of: Int32.self)
      #expect(places.map { $0.map { read[$0] } } == sequences)

      // The sum over all tokens of all sequences, each weighted in its own way.
      func weight(_ i: Int, _ count: Int) -> Tensor {
        var random = RandomSource(seed: UInt64(i + 3))
        return random.normal([count, width])
      }
      let together = valueAndGradient(of: model) { model in
        let hidden = model.backbone(packed.tokens, segments: packed.segments).reshaped([packed.tokens.count, width])
        return places.enumerated().map { i, places in
          (hidden.gather(Tensor(places.map(Int32.init))) * weight(i, places.count)).sum()
        }.reduce(Tensor(Float(0))) { $0 + $1 }
      }
      var (value, gradients) = (Float(0), Gradients())
      for (i, sequence) in sequences.enumerated() {
        let part = valueAndGradient(of: model, accumulating: gradients) { model in
          (model.backbone(Tensor(sequence, [1, sequence.count])).reshaped([sequence.count, width])
            * weight(i, sequence.count)).sum()
        }
        value += part.value.item()
        gradients = part.gradients
      }
      #expect(abs(together.value.item() - value) < 1e-4)
      for name in gradients.names {
        let (a, b) = (try #require(together.gradients[name]), try #require(gradients[name]))
        let largest = b.array().reduce(Float(1)) { max($0, abs($1)) }
        #expect(largestDifference(a, b) < 2e-5 * Double(largest), "\(name)")
      }
    }
  }
}
