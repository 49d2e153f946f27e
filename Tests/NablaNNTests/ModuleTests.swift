import NablaNN
import NablaTensor
import Testing

private final class Scale: Module {
  @Parameter("gain") var scale: Tensor = [1, 2]
  @Parameter var absent: Tensor? = nil

  func callAsFunction(_ x: Tensor) -> Tensor { x * scale }
}

private class Base: Module {
  @Parameter var first: Tensor = [1]
}

/// Every way a model can hold parts: by the property's name, renamed, arrays, optionals, inherited, shared.
private final class Tree: Base {
  let plain: Linear
  let list: [Scale]
  var optional: Scale?
  let missing: Scale? = nil
  @Named("blocks") var renamed: [Scale]
  @Named("extra") var sometimes: Linear?
  @Named("nothing") var never: Linear?
  let again: Linear
  let notAPart = "text"

  override init() {
    var random = RandomSource(seed: 1)
    plain = Linear(2, 3, random: &random)
    list = [Scale(), Scale()]
    optional = Scale()
    again = plain
    super.init()
    renamed = [Scale()]
    sometimes = Linear(2, 1, bias: false, random: &random)
    never = nil
  }
}

@Suite struct ModuleTests {
  private let names = [
    "first", "plain.weight", "plain.bias", "list.0.gain", "list.1.gain", "optional.gain", "blocks.0.gain",
    "extra.weight",
  ]

  @Test func parametersAreNamedInOrderAndOnce() {
    let tree = Tree()
    #expect(tree.parameters().map(\.name) == names)
    #expect(tree.parameterCount == 1 + 6 + 3 + 4 * 2 + 2)
  }

  @Test func printsATree() {
    let tree = Tree()
    tree.list[0].freeze()
    let text = tree.description
    #expect(text.hasPrefix("Tree (20 parameters)\n  first: [1]\n  plain: Linear (9 parameters)\n    weight: [3, 2]\n"))
    #expect(text.contains("\n  list.0: Scale (2 parameters)\n    gain: [2] frozen\n"))
    #expect(text.contains("\n  extra: Linear (2 parameters)\n    weight: [1, 2]"))
    #expect(!text.contains("nothing") && !text.contains("absent"))
    #expect(grouped(1_234_567) == "1,234,567" && grouped(-1000) == "-1,000" && grouped(999) == "999")
  }

  @Test func freezing() {
    let tree = Tree()
    tree.plain.freeze()
    #expect(tree.trainableParameters().map(\.name) == names.filter { !$0.hasPrefix("plain") })
    let (_, gradients) = valueAndGradient(of: tree) { tree in tree.plain([[1, 2]]).sum() + tree.first.sum() }
    #expect(gradients["plain.weight"] == nil && gradients["first"]?.array() == [1])
    tree.unfreeze()
    #expect(tree.trainableParameters().count == names.count)
  }

  @Test func loading() throws {
    let tree = Tree()
    var state: [String: Tensor] = [:]
    for parameter in tree.parameters() { state[parameter.name] = .full(parameter.value.shape, 0.5).cast(.bfloat16) }
    try tree.load(state)
    for parameter in tree.parameters() {
      #expect(parameter.value.dtype == .float32)
      #expect(parameter.value.array().allSatisfy { $0 == 0.5 })
    }
    #expect(tree.again.weight.array() == Array(repeating: 0.5, count: 6), "a shared part changes in both places")
  }

  @Test(arguments: ["missing", "unknown", "shape"]) func loadErrorsChangeNothing(_ kind: String) throws {
    let tree = Tree()
    var state: [String: Tensor] = [:]
    for parameter in tree.parameters() { state[parameter.name] = .full(parameter.value.shape, 7) }
    let problem: String
    switch kind {
    case "missing":
      state["extra.weight"] = nil
      problem = "missing tensor extra.weight"
    case "unknown":
      state["what.weight"] = [1]
      problem = "unknown tensor what.weight"
    default:
      state["plain.bias"] = .zeros([4])
      problem = "plain.bias has shape [4], the model expects [3]"
    }
    let before = tree.parameters().map { $0.value.array() }
    let error = #expect(throws: StateError.self) { try tree.load(state) }
    #expect(try #require(error).problems == [problem])
    #expect(tree.parameters().map { $0.value.array() } == before)
  }

  @Test func longErrorsAreCut() {
    #expect(
      StateError(problems: (1...7).map { "p\($0)" }).description == "p1; p2; p3; p4; p5; and 2 more")
  }

  @Test func linearStartsWithinBounds() {
    var random = RandomSource(seed: 3)
    let layer = Linear(16, 500, random: &random)
    let values = layer.weight.array() + layer.bias!.array()
    #expect(values.allSatisfy { abs($0) <= 0.25 })
    #expect(values.max()! > 0.24 && values.min()! < -0.24)
    let normal = Linear(16, 500, bias: true, standardDeviation: 0.5, random: &random)
    #expect(normal.bias!.array().allSatisfy { $0 == 0 })
    let variance = normal.weight.array().reduce(0) { $0 + $1 * $1 } / 8000
    #expect(abs(variance - 0.25) < 0.02)
  }

  @Test func embeddingLooksUpRows() {
    var random = RandomSource(seed: 4)
    let embedding = Embedding(5, 3, random: &random)
    let y = embedding(Tensor([4, 0, 4] as [Int32], [1, 3]))
    #expect(y.shape == [1, 3, 3])
    let rows = embedding.weight.array()
    #expect(y.array() == Array(rows[12..<15]) + Array(rows[0..<3]) + Array(rows[12..<15]))
  }
}
