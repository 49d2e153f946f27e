import NablaTensor
import Testing

@Suite("Shapes and places")
struct LayoutTests {
  @Test("reshape")
  func reshape() {
    checkGradient(
      of: { ($0[0].reshaped([4, -1]) * Tensor.numbers([4, 3], seed: 8)) }, inputs: [.numbers([2, 6])],
      reference: { $0[0].reshaped([4, 3]) * Reference(Tensor.numbers([4, 3], seed: 8)) })
    #expect(Tensor.zeros([0, 3]).reshaped([3, 0]).shape == [3, 0])
    #expect(Tensor.zeros([1]).reshaped([]).shape == [])
    #expect(Tensor.zeros([2, 3]).expandedDimension(at: -1).shape == [2, 3, 1])
    #expect(Tensor.zeros([2, 3]).expandedDimension(at: 1).shape == [2, 1, 3])
  }

  @Test("reshape of a size that does not fit stops the program")
  func reshapeMismatch() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).reshaped([4]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).reshaped([4, -1]) }
  }

  static let permutations: [(Shape, [Int])] = [
    ([3], [0]), ([3, 5], [1, 0]), ([1, 7], [1, 0]), ([17, 33], [1, 0]), ([2, 3, 4], [2, 0, 1]),
    ([2, 3, 4], [0, 2, 1]),
    ([2, 3, 4], [1, 0, 2]), ([2, 3, 4, 5], [0, 2, 1, 3]), ([2, 3, 4, 5], [3, 1, 0, 2]), ([0, 3], [1, 0]),
    ([2, 1, 3, 1, 2, 2], [5, 3, 1, 0, 2, 4]), ([2, 3, 4], [0, 1, 2]),
  ]

  @Test("permute", arguments: permutations)
  func permute(_ shape: Shape, _ axes: [Int]) {
    checkGradient(
      of: { $0[0].permuted(axes) }, inputs: [.numbers(shape)],
      reference: { x in
        Reference(axes.map { shape[$0] }) { index in
          var source = Array(repeating: 0, count: axes.count)
          for (i, axis) in axes.enumerated() { source[axis] = index[i] }
          return x[0][source]
        }
      })
  }

  @Test("permute keeps every type's bits", arguments: DType.elementTypes)
  func permuteTypes(_ type: DType) {
    var numbers = Numbers(2)
    let x = numbers.integers([19, 45], below: 200)
    let y = x.cast(type).transposed()
    #expect(y.dtype == type)
    let (source, result) = (x.array(of: Int32.self), y.cast(.float32).array(of: Int32.self))
    for r in 0..<45 { for c in 0..<19 { #expect(result[r * 19 + c] == source[c * 45 + r]) } }
  }

  static let slices: [(Shape, Int, Range<Int>)] = [
    ([5], 0, 1..<3), ([5], 0, 0..<5), ([5], 0, 2..<2), ([3, 4], 0, 1..<3), ([3, 4], 1, 1..<3), ([3, 4], -1, 3..<4),
    ([2, 3, 4], 1, 0..<2), ([2, 3, 4], 2, 1..<4), ([1, 3], 1, 0..<1), ([0, 3], 1, 0..<2),
  ]

  @Test("slice", arguments: slices)
  func slice(_ shape: Shape, _ axis: Int, _ range: Range<Int>) {
    checkGradient(
      of: { $0[0].slice(range, axis: axis) }, inputs: [.numbers(shape)],
      reference: { x in
        // An axis cut to nothing has no lines to read the length from.
        let positive = axis < 0 ? axis + shape.count : axis
        var result = Array(shape)
        result[positive] = range.count
        return Reference(result) { index in
          var source = index
          source[positive] += range.lowerBound
          return x[0][source]
        }
      })
  }

  @Test("subscripts")
  func subscripts() {
    let x = Tensor([Float(1), 2, 3, 4, 5, 6], [3, 2])
    #expect(x[1].array() == [3, 4] as [Float] && x[1].shape == [2])
    #expect(x[1..<3].array() == [3, 4, 5, 6] as [Float] && x[2][1].item() == 6)
    let gradient = valueAndGradient(at: [x]) { ($0[0][1] * [10, 20]).sum() + $0[0][1..<3].sum() }.gradients[0]
    #expect(gradient.array() == [0, 0, 11, 21, 1, 1] as [Float])
  }

  @Test("split and concatenate", arguments: [0, 1, -1])
  func splitAndConcatenate(_ axis: Int) {
    let positive = axis < 0 ? axis + 3 : axis
    checkGradient(
      of: { inputs in
        let parts = inputs[0].split([1, 0, 2, 3], axis: axis)
        return Tensor.concatenate([parts[3], parts[0] * 2, parts[2], parts[1], parts[0]], axis: axis)
      }, inputs: [.numbers([6, 6, 6])],
      reference: { x in
        var result = [6, 6, 6]
        result[positive] = 7
        return Reference(result) { index in
          let (place, factor) = [(3, 1.0), (4, 1), (5, 1), (0, 2), (1, 1), (2, 1), (0, 1)][index[positive]]
          var source = index
          source[positive] = place
          return factor * x[0][source]
        }
      })
  }

  @Test(
    "concatenate several tensors", arguments: [(0, [[1, 3], [2, 3], [0, 3]]), (1, [[2, 1], [2, 4], [2, 2]])])
  func concatenate(_ axis: Int, _ shapes: [[Int]]) {
    checkGradient(
      of: { Tensor.concatenate($0, axis: axis) },
      inputs: shapes.enumerated().map { .numbers(Shape($1), seed: $0) },
      reference: { parts in
        var result = parts[0].shape
        result[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
        return Reference(result) { index in
          var source = index
          for part in parts {
            if source[axis] < part.shape[axis] { return part[source] }
            source[axis] -= part.shape[axis]
          }
          fatalError()
        }
      })
  }

  @Test("stack")
  func stack() {
    checkGradient(
      of: { Tensor.stack($0) }, inputs: [.numbers([2, 3], seed: 1), .numbers([2, 3], seed: 2)],
      reference: { Reference($0[0].values + $0[1].values, [2, 2, 3]) })
  }

  @Test("gather rows, some of them twice", arguments: [[5, 3], [5], [5, 2, 3], [5, 0]] as [Shape])
  func gather(_ shape: Shape) {
    let indices = Tensor([Int32(4), 0, 4, 4, 2, 0], [2, 3])
    let places = [4, 0, 4, 4, 2, 0]
    checkGradient(
      of: { $0[0].gather(indices) }, inputs: [.numbers(shape)],
      reference: { x in
        Reference([2, 3] + shape.dropFirst()) { index in x[0][[places[index[0] * 3 + index[1]]] + index.dropFirst(2)] }
      })
  }

  @Test("gather adds to a gradient that is there already")
  func gatherTwice() {
    let indices = Tensor([Int32(1), 1])
    let gradient = valueAndGradient(at: [Tensor.ones([3, 2])]) { inputs in
      inputs[0].gather(indices).sum() + (inputs[0] * 10).sum() + inputs[0].gather(indices).sum()
    }.gradients[0]
    #expect(gradient.array() == [10, 10, 14, 14, 10, 10] as [Float])
  }

  @Test("scatterAdd", arguments: [[4, 3], [4], [4, 200]] as [Shape])
  func scatterAdd(_ shape: Shape) {
    let places = [3, 1, 3, 0, 3]
    let indices = Tensor(places.map(Int32.init))
    checkGradient(
      of: { $0[0].scatterAdd(indices, $0[1]) },
      inputs: [.numbers(shape, seed: 1), .numbers(Shape([5] + shape.dropFirst()), seed: 2)],
      reference: { inputs in
        var y = inputs[0]
        let width = y.count / 4
        for (row, place) in places.enumerated() {
          for c in 0..<width { y.values[place * width + c] += inputs[1].values[row * width + c] }
        }
        return y
      })
  }

  @Test("gatherLast", arguments: [[3, 5], [2, 3, 5], [1, 5]] as [Shape])
  func gatherLast(_ shape: Shape) {
    var numbers = Numbers(6)
    let indices = numbers.integers(Shape(shape.dropLast()), below: 5)
    let places = indices.array(of: Int32.self)
    checkGradient(
      of: { $0[0].gatherLast(indices) }, inputs: [.numbers(shape)],
      reference: { x in
        Reference(places.enumerated().map { x[0].values[$0 * 5 + Int($1)] }, Array(shape.dropLast()))
      })
  }

  @Test("an index outside stops the program")
  func outside() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).gather(Tensor([Int32(3)])) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).gather(Tensor([Int32(-1)])) }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([3, 2]).scatterAdd(Tensor([Int32(3)]), Tensor.zeros([1, 2]))
    }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 2]).gatherLast(Tensor([Int32(2)])) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([4]).slice(2..<5, axis: 0) }
  }

  @Test("layout in bfloat16")
  func bfloat16() {
    checkGradientInBfloat16(
      of: { inputs in
        let parts = inputs[0].permuted([1, 0, 2]).split([1, 2], axis: 2)
        return Tensor.concatenate([parts[1], parts[0]], axis: 2).gather(Tensor([Int32(1), 1, 0])).slice(1..<3, axis: 1)
      }, inputs: [.numbers([4, 2, 3])],
      reference: { x in
        Reference([3, 2, 3]) { index in x[0][[index[1] + 1, [1, 1, 0][index[0]], [1, 2, 0][index[2]]]] }
      })
  }
}
