// Reverse-mode differentiation with a dynamic computation graph. While `valueAndGradient` runs, each operation adds
// a node that holds its inputs' nodes and how to propagate a gradient to them. Nodes are numbered as they are made,
// so in descending order every node comes after all nodes that use it.

import CNablaKernels
import Synchronization

/// A node of the computation graph: one operation, or one input to differentiate with respect to (a leaf).
///
/// Unchecked: a graph is built and differentiated by one thread.
package final class Node: @unchecked Sendable {
  /// Propagates the gradient of this node's value to its inputs (nil where an input is constant).
  package typealias Backward = (_ gradient: Tensor, _ inputs: [Node?]) -> Void

  let number: Int
  package let shape: Shape
  let dtype: DType
  fileprivate(set) var inputs: [Node?]
  fileprivate var backward: Backward?
  /// The gradient accumulated so far: d loss / d value.
  package var gradient: Tensor?
  fileprivate var pass = 0

  private static let counter = Atomic<Int>(0)
  package static func nextNumber() -> Int { counter.add(1, ordering: .relaxed).newValue }

  package init(shape: Shape, dtype: DType, inputs: [Node?] = [], backward: Backward? = nil) {
    number = Node.nextNumber()
    self.shape = shape
    self.dtype = dtype
    self.inputs = inputs
    self.backward = backward
  }

  package var isLeaf: Bool { backward == nil }

  /// Adds `part` to the gradient.
  package func accumulate(_ part: Tensor) {
    precondition(part.shape == shape, "gradient of shape \(part.shape) for a value of shape \(shape)")
    let part = part.node == nil && part.dtype == dtype ? part : part.stopGradient().cast(dtype)
    guard let sum = gradient else {
      gradient = part
      return
    }
    gradient = nil  // so that the sum is the only owner of its memory
    gradient = sum.adding(part)
  }

  /// Lets `fill` write the gradient in place, so that matrix multiplications accumulate into it without a temporary:
  /// fill(target, adds) stores into the float32 target, or adds to it.
  package func accumulate(inPlace fill: (_ target: Tensor, _ adds: Bool) -> Void) {
    guard dtype == .float32 else {
      let part = Tensor(uninitialized: shape)
      fill(part, false)
      return accumulate(part)
    }
    if var sum = gradient {
      gradient = nil
      if !isKnownUniquelyReferenced(&sum.storage) { sum = sum.copy() }
      fill(sum, true)
      gradient = sum
    } else {
      let part = Tensor(uninitialized: shape)
      fill(part, false)
      gradient = part
    }
  }

  // Otherwise a long chain of nodes would be released by an equally deep recursion.
  deinit {
    guard !inputs.isEmpty else { return }
    var released = inputs
    inputs = []
    while var node = released.popLast() {
      if node != nil, isKnownUniquelyReferenced(&node) {
        released.append(contentsOf: node!.inputs)
        node!.inputs = []
        node!.backward = nil
      }
    }
  }
}

extension Tensor {
  /// Adds in place if nothing else references the memory.
  fileprivate consuming func adding(_ other: Tensor) -> Tensor {
    if isKnownUniquelyReferenced(&storage) {
      let y = self
      let count = count
      switch dtype {
      case .float32:
        parallelFor(count, grain: elementGrain) { part in
          nabla_add_scaled(Int64(part.count), 1, other.floats + part.lowerBound, y.floats + part.lowerBound)
        }
        return y
      case .bfloat16:
        parallelFor(count, grain: elementGrain) { part in
          nabla_add_bfloat16(Int64(part.count), other.halves + part.lowerBound, y.halves + part.lowerBound)
        }
        return y
      default: break
      }
    }
    return self + other
  }

  /// Whether an operation on these inputs must be recorded.
  package static func isRecording(_ input: Tensor) -> Bool {
    input.node != nil && nabla_recording_disabled() == 0
  }

  /// This tensor with a graph node, if any of the inputs has one. `backward` must capture tensors without
  /// nodes of their own (`stopGradient()`), or whole graphs would stay alive.
  package func recorded(_ input: Tensor, backward: @escaping Node.Backward) -> Tensor {
    // One and two inputs are passed without an array: most operations record nothing, and should then allocate nothing.
    input.node == nil ? self : recorded([input], backward: backward)
  }

  package func recorded(_ first: Tensor, _ second: Tensor, backward: @escaping Node.Backward) -> Tensor {
    first.node == nil && second.node == nil ? self : recorded([first, second], backward: backward)
  }

  package func recorded(_ inputs: [Tensor], backward: @escaping Node.Backward) -> Tensor {
    guard nabla_recording_disabled() == 0, inputs.contains(where: { $0.node != nil }) else { return self }
    return recorded(nodes: inputs.map(\.node), backward: backward)
  }

  /// The same for an operation that has collected the nodes of its inputs itself.
  package func recorded(nodes: [Node?], backward: @escaping Node.Backward) -> Tensor {
    guard nabla_recording_disabled() == 0, nodes.contains(where: { $0 != nil }) else { return self }
    var result = self
    result.node = Node(shape: shape, dtype: dtype, inputs: nodes, backward: backward)
    return result
  }

  /// A leaf with this tensor's elements: gradients with respect to it are kept.
  package func leaf() -> Tensor {
    var result = self
    result.node = Node(shape: shape, dtype: dtype)
    return result
  }

  /// Defines an operation with a custom gradient.
  ///
  /// - Parameters:
  ///   - inputs: what the result depends on.
  ///   - forward: computes the result; what it does inside is not recorded.
  ///   - backward: from the gradient of the result, the gradient of each input, or nil where there is none.
  public static func withGradient(
    of inputs: [Tensor], forward: ([Tensor]) -> Tensor, backward: @escaping (_ gradient: Tensor) -> [Tensor?]
  ) -> Tensor {
    let value = withoutGradient { forward(inputs.map { $0.stopGradient() }) }
    return value.stopGradient().recorded(inputs) { gradient, nodes in
      let parts = backward(gradient)
      precondition(parts.count == nodes.count, "withGradient: \(parts.count) gradients for \(nodes.count) inputs")
      for (node, part) in zip(nodes, parts) {
        if let node, let part { node.accumulate(part) }
      }
    }
  }
}

/// Runs `body` without recording: its results are constants to every gradient.
public func withoutGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
  nabla_set_recording_disabled(nabla_recording_disabled() + 1)
  defer { nabla_set_recording_disabled(nabla_recording_disabled() - 1) }
  return try body()
}

/// The value of a scalar function and its gradients with respect to `inputs` (zeros where it does not depend on one).
///
/// ```swift
/// let (y, gradients) = valueAndGradient(at: [x]) { $0[0].square().sum() }   // gradients[0] = 2x
/// ```
public func valueAndGradient(
  at inputs: [Tensor], of function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  let leaves = inputs.map { $0.stopGradient().leaf() }
  let value = try function(leaves)
  value.backward()
  return (value.stopGradient(), leaves.map { $0.node!.gradient ?? .zeros($0.shape, dtype: $0.dtype) })
}

extension Tensor {
  /// Propagates d self / d self = 1 back through the graph, leaving gradients at the leaves. Each graph is used once.
  package func backward() {
    precondition(count == 1, "a gradient needs a scalar, not shape \(shape): take sum() or mean() first")
    guard let node else { return }
    differentiate(from: node, gradient: Tensor.full(shape, 1).cast(dtype), downTo: 0)
  }
}

private let passes = Atomic<Int>(0)

/// Propagates `gradient` from `root` back to the leaves. Nodes numbered below `boundary` must be leaves: an operation
/// recorded before a checkpoint began would otherwise be differentiated too early.
package func differentiate(from root: Node, gradient: Tensor, downTo boundary: Int) {
  let pass = passes.add(1, ordering: .relaxed).newValue
  precondition(
    root.number >= boundary || root.isLeaf,
    "checkpoint: the block returns a tensor computed outside it (shape \(root.shape)); pass it in as an input")
  root.accumulate(gradient)  // A block may return a parameter, which has a gradient already.
  root.pass = pass
  var found = [root]
  var next = 0
  while next < found.count {
    for case let input? in found[next].inputs where input.pass != pass {
      input.pass = pass
      precondition(
        input.number >= boundary || input.isLeaf,
        "checkpoint: the block uses a tensor computed outside it (shape \(input.shape)); pass it in as an input")
      found.append(input)
    }
    next += 1
  }
  found.sort { $0.number > $1.number }
  withoutGradient {
    for node in found {
      guard let backward = node.backward else { continue }
      let gradient = node.gradient
      node.gradient = nil
      if let gradient { backward(gradient, node.inputs) }
      // Free what the operation saved for its backward pass before continuing; a second pass must not find half a
      // graph.
      node.backward = { _, _ in
        preconditionFailure("this graph has been differentiated already: call valueAndGradient again")
      }
      node.inputs = []
    }
  }
}

/// Runs `block` saving only its inputs, and reruns it during the backward pass (Chen et al. 2016): its
/// activations take no memory in between. Parameters that the block uses receive their gradients as usual; any other
/// tensor with a gradient must be passed in `inputs`.
public func checkpoint(_ inputs: [Tensor], _ block: @escaping ([Tensor]) -> Tensor) -> Tensor {
  guard nabla_recording_disabled() == 0 else { return block(inputs) }
  let constants = inputs.map { $0.stopGradient() }
  var value = withoutGradient { block(constants) }.stopGradient()
  // Recorded even if no input has a gradient: the block may use parameters, which must get theirs.
  value.node = Node(shape: value.shape, dtype: value.dtype, inputs: inputs.map(\.node)) { gradient, nodes in
    let boundary = Node.nextNumber()
    let leaves = zip(constants, nodes).map { constant, node in node == nil ? constant : constant.leaf() }
    let disabled = nabla_recording_disabled()
    nabla_set_recording_disabled(0)
    let again = block(leaves)
    nabla_set_recording_disabled(disabled)
    guard let root = again.node else { return }
    differentiate(from: root, gradient: gradient, downTo: boundary)
    for (node, leaf) in zip(nodes, leaves) {
      if let node, let part = leaf.node?.gradient { node.accumulate(part) }
    }
  }
  return value
}
