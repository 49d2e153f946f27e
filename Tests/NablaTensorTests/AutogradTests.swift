import NablaTensor
import Testing

@Suite("Autograd")
struct AutogradTests {
  private let x = Tensor([Float(1), 2, 3])

  private func gradient(_ function: (Tensor) -> Tensor) -> [Float] {
    valueAndGradient(at: [x]) { function($0[0]) }.gradients[0].array()
  }

  // MARK: Accumulation and aliasing

  @Test("a tensor used more than once gets the sum")
  func accumulation() {
    #expect(gradient { ($0 + $0).sum() } == [2, 2, 2])
    #expect(gradient { ($0 * $0 * $0).sum() } == [3, 12, 27])
    #expect(gradient { x in (x - x).sum() } == [0, 0, 0])
    #expect(gradient { x in (x / x).sum() } == [0, 0, 0])
  }

  /// An addition hands one gradient to both operands: adding to one in place must not change the other.
  @Test("gradients that share memory stay apart")
  func aliasing() {
    let inputs = [Tensor([Float(1), 2]), Tensor([Float(3), 4])]
    let (_, gradients) = valueAndGradient(at: inputs) { inputs in
      let (a, b) = (inputs[0], inputs[1])
      let y = a + b
      // Both a and b receive y's gradient, and then more.
      return (y * 3).sum() + (a * 10).sum() + (b * 100).sum() + (a + b).sum()
    }
    #expect(gradients[0].array() == [14, 14] && gradients[1].array() == [104, 104])
  }

  @Test("y = x + x, z = x")
  func doubledAndPlain() {
    let (_, gradients) = valueAndGradient(at: [x, x]) { inputs in
      let y = inputs[0] + inputs[0]
      let z = inputs[0] + inputs[1]
      return (y * 5).sum() + (z * z).sum() + inputs[1].sum()
    }
    #expect(gradients[0].array() == [14, 18, 22] && gradients[1].array() == [5, 9, 13])
  }

  @Test("views: reshapes and slices of one tensor")
  func views() {
    let x = Tensor((0..<6).map(Float.init), [2, 3])
    let (_, gradients) = valueAndGradient(at: [x]) { inputs in
      let flat = inputs[0].reshaped([6])
      return (flat[0..<3] * 2).sum() + (flat[2..<6] * 3).sum() + inputs[0][1].sum() + (inputs[0] * inputs[0]).sum()
    }
    #expect(gradients[0].array() == [2, 4, 9, 10, 12, 14])
  }

  @Test("operations leave their operands unchanged")
  func operandsUnchanged() {
    let a = Tensor.numbers([4, 4])
    let before = a.array(of: Float.self)
    let part = a[1..<3]
    _ = valueAndGradient(at: [a, part]) { inputs in
      let y = inputs[0].softmax().layerNorm().matmul(inputs[0]).linear(inputs[0], residual: inputs[0])
      return (y + inputs[1].sum(axis: 0)).crossEntropy(Tensor([Int32(0), 1, 2, 3]))
    }
    #expect(a.array() == before && part.array() == Array(before[4..<12]))
  }

  @Test("gradients already returned are not changed by later work")
  func returnedGradients() {
    let first = valueAndGradient(at: [x]) { ($0[0] * 2).sum() }.gradients[0]
    _ = valueAndGradient(at: [x]) { ($0[0] * 7).sum() + $0[0].sum() }
    #expect(first.array() == [2, 2, 2])
  }

  @Test("an input the function does not use has gradient zero")
  func unused() {
    let (value, gradients) = valueAndGradient(at: [x, Tensor.ones([2, 2])]) { $0[0].sum() }
    #expect(value.item() == 6 && gradients[1].array() == [0, 0, 0, 0] && gradients[1].shape == [2, 2])
    #expect(valueAndGradient(at: [x]) { _ in Tensor(5) }.gradients[0].array() == [0, 0, 0])
    #expect(valueAndGradient(at: [Tensor(5)]) { $0[0] }.gradients[0].item() == 1)
  }

  @Test("a gradient needs a scalar")
  func scalarOnly() async {
    await #expect(processExitsWith: .failure) { _ = valueAndGradient(at: [Tensor.ones([2])]) { $0[0] } }
  }

  @Test("nested differentiation is of the inner function")
  func nested() {
    let outer = valueAndGradient(at: [x]) { inputs in
      let inner = valueAndGradient(at: [inputs[0]]) { $0[0].square().sum() }.gradients[0]
      return (inputs[0] * inner).sum()
    }
    #expect(outer.gradients[0].array() == [2, 4, 6])
  }

  // MARK: Constants and gradients of one's own

  @Test("withoutGradient and stopGradient")
  func constants() {
    #expect(gradient { x in (x * withoutGradient { x * 2 }).sum() } == [2, 4, 6])
    #expect(gradient { x in (x * x.stopGradient()).sum() } == [1, 2, 3])
    #expect(gradient { x in (x * withoutGradient { withoutGradient { x } + x }).sum() } == [2, 4, 6])
    struct Failure: Error {}
    // A thrown error turns recording on again.
    try? withoutGradient { throw Failure() }
    #expect(gradient { $0.sum() } == [1, 1, 1])
  }

  @Test("a custom gradient")
  func custom() {
    let result = gradient { x in
      let y = Tensor.withGradient(of: [x, Tensor(2)], forward: { $0[0] * $0[1] }, backward: { [$0 * 100, nil] })
      return (y * [1, 2, 3]).sum()
    }
    #expect(result == [100, 200, 300])
    // The tensors that forward captures have no part in it.
    #expect(
      gradient { x in
        x.sum() + Tensor.withGradient(of: [], forward: { _ in x * 7 }, backward: { _ in [] }).sum()
      } == [1, 1, 1])
  }

  @Test("a custom gradient of the wrong number stops the program")
  func customMismatch() async {
    await #expect(processExitsWith: .failure) {
      _ = valueAndGradient(at: [Tensor(1)]) { inputs in
        Tensor.withGradient(of: inputs, forward: { $0[0] }, backward: { [$0, $0] })
      }
    }
  }

  // MARK: Checkpoints

  private static func block(_ x: Tensor, _ w: Tensor) -> Tensor { x.linear(w).tanh().linear(w) + x }

  @Test("a checkpoint has the gradients of the block without it")
  func checkpointed() {
    let inputs = [Tensor.numbers([3, 4], seed: 1), Tensor.numbers([4, 4], seed: 2)]
    let plain = valueAndGradient(at: inputs) { inputs in
      let y = Self.block(Self.block(inputs[0] * 2, inputs[1]), inputs[1])
      return (y * y).sum() + inputs[1].sum()
    }
    // The weight is captured, as a module's parameters are; the activations are passed.
    let saved = valueAndGradient(at: inputs) { inputs in
      let w = inputs[1]
      var y = inputs[0] * 2
      for _ in 0..<2 { y = checkpoint([y]) { Self.block($0[0], w) } }
      return (y * y).sum() + w.sum()
    }
    #expect(plain.value.item() == saved.value.item())
    for (a, b) in zip(plain.gradients, saved.gradients) { expectClose(b, Reference(a)) }
    #expect(saved.gradients[1].array().contains { abs($0) > 1 })
  }

  @Test("checkpoints within checkpoints, and of several inputs")
  func nestedCheckpoints() {
    let inputs = [Tensor.numbers([3, 4], seed: 1), Tensor.numbers([4, 4], seed: 2), Tensor.numbers([3, 4], seed: 3)]
    let function = { (inputs: [Tensor], saves: Bool) -> Tensor in
      let run = { (x: [Tensor], block: @escaping ([Tensor]) -> Tensor) in saves ? checkpoint(x, block) : block(x) }
      let w = inputs[1]
      return run([inputs[0] * 3, inputs[2]]) { outer in
        run([outer[0] * outer[1]]) { Self.block($0[0], w) } + outer[1]
      }.square().sum()
    }
    let plain = valueAndGradient(at: inputs) { function($0, false) }
    let saved = valueAndGradient(at: inputs) { function($0, true) }
    for (a, b) in zip(plain.gradients, saved.gradients) { expectClose(b, Reference(a)) }
  }

  @Test("a block that returns a parameter adds to its gradient")
  func checkpointOfAParameter() {
    #expect(
      gradient { x in
        let captured = checkpoint([]) { _ in x }
        return (captured * 2).sum() + (x * 10).sum() + checkpoint([x]) { $0[0] }.sum()
      } == [13, 13, 13])
  }

  @Test("a checkpoint refuses a captured tensor that has a history")
  func checkpointCapture() async {
    await #expect(processExitsWith: .failure) {
      _ = valueAndGradient(at: [Tensor(2)]) { inputs in
        let y = inputs[0] * 3
        return checkpoint([inputs[0]]) { $0[0] * y }
      }
    }
    await #expect(processExitsWith: .failure) {
      _ = valueAndGradient(at: [Tensor(2)]) { inputs in
        let y = inputs[0] * 3
        return checkpoint([inputs[0]]) { _ in y }
      }
    }
    // The same with y passed in is fine.
    await #expect(processExitsWith: .success) {
      let gradient = valueAndGradient(at: [Tensor(2)]) { inputs in
        let y = inputs[0] * 3
        return checkpoint([inputs[0], y]) { $0[0] * $0[1] }
      }.gradients[0]
      precondition(gradient.item() == 12)
    }
  }

  // MARK: Size

  @Test("200,000 operations in a row overflow no stack")
  func deepChain() {
    let (_, gradients) = valueAndGradient(at: [Tensor(1)]) { inputs in
      var y = inputs[0]
      for _ in 0..<200_000 { y = y + 1 }
      return y
    }
    #expect(gradients[0].item() == 1)
    // A graph thrown away without a backward pass.
    _ = valueAndGradient(at: [Tensor(1)]) { inputs in
      var y = inputs[0]
      for _ in 0..<200_000 { y = y * 1.0 }
      return inputs[0]
    }
  }

  /// In a process of its own: other tests make tensors meanwhile.
  @Test("memory returns to where it was after a step")
  func memory() async {
    await #expect(processExitsWith: .success) {
      let w = Tensor.numbers([64, 64])
      let x = Tensor.numbers([32, 64])
      func step() -> Float {
        let (loss, gradients) = valueAndGradient(at: [w]) { inputs in
          var y = x
          for _ in 0..<4 { y = checkpoint([y]) { $0[0].linear(inputs[0]).gelu().rmsNorm() } }
          return y.linear(inputs[0]).softmax().square().sum()
        }
        return loss.item() + gradients[0].sum().item()
      }
      _ = step()
      let before = Memory.statistics
      for _ in 0..<3 { _ = step() }
      let after = Memory.statistics
      precondition(after.current == before.current, "\(before) became \(after)")
      // Nothing new comes from the system once the first step has run.
      precondition(after.cached == before.cached && after.peak == before.peak, "\(before) became \(after)")
      Memory.resetPeak()
      precondition(Memory.statistics.peak == after.current)
      Memory.releaseCached()
      precondition(Memory.statistics.cached == 0)
    }
  }

  @Test("blocks of every size can be written to their end")
  func blocks() {
    for exponent in 0..<22 {
      for bytes in [1 << exponent - 1, 1 << exponent, 1 << exponent + 1, (3 << exponent) / 2] where bytes > 0 {
        let tensor = Tensor.zeros([bytes], dtype: .uint8)
        #expect(UInt(bitPattern: tensor.pointer) % 64 == 0)
        (tensor.pointer + bytes - 1).storeBytes(of: 1, as: UInt8.self)
      }
    }
  }

  @Test("two threads differentiate at once")
  func concurrent() async {
    await withTaskGroup(of: [Float].self) { group in
      for i in 0..<8 {
        group.addTask {
          let x = Tensor.full([1000], Float(i))
          return valueAndGradient(at: [x]) { ($0[0] * $0[0]).sum() + withoutGradient { x }.sum() }.gradients[0].array()
        }
      }
      for await gradient in group { #expect(Set(gradient).count == 1 && Int(gradient[0]) % 2 == 0) }
    }
  }
}
