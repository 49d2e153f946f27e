import NablaTensor

/// A linear layer whose weight is constant, with adapters beside it of which at most one is in use. With none it is the
/// layer it was made of, bit for bit.
public final class LoRALinear: Linear {
  /// Switched by `Module.useAdapter`; the name of each is its place's in `names`.
  @Named public private(set) var adapters: [LoRAAdapter]
  public private(set) var names: [String] = []
  private var used: Int?
  /// The weight before a merge.
  private var unmerged: Tensor?

  /// The weight is shared with the layer, not copied.
  public init(_ layer: Linear) {
    super.init(weight: layer.weight, bias: layer.bias)
    adapters = []
    freeze()
  }

  public func adapter(_ name: String) -> LoRAAdapter? { names.firstIndex(of: name).map { adapters[$0] } }

  func add(_ adapter: LoRAAdapter, name: String) {
    precondition(!names.contains(name), "LoRALinear: an adapter \(name) exists")
    names.append(name)
    adapters.append(adapter)
  }

  func remove(_ name: String) {
    guard let place = names.firstIndex(of: name) else { return }
    use(nil)
    names.remove(at: place)
    adapters.remove(at: place)
  }

  var usedName: String? { used.map { names[$0] } }

  /// Uses the adapter of this name, if the layer has it, or none.
  func use(_ name: String?) {
    unmerge()
    used = name.flatMap { names.firstIndex(of: $0) }
  }

  public override func callAsFunction(_ x: Tensor, residual: Tensor? = nil, output: DType? = nil) -> Tensor {
    guard let used, unmerged == nil else { return super.callAsFunction(x, residual: residual, output: output) }
    return adapters[used].apply(to: x, weight, bias, residual: residual, output: output)
  }

  /// Without an adapter in use, fused operations may read the weight as that of any layer.
  public override var packable: (weight: Tensor, bias: Tensor?)? {
    used == nil || unmerged != nil ? (weight, bias) : nil
  }

  /// Puts the used adapter's change into the weight, which is kept to be put back.
  func merge() {
    guard let used, unmerged == nil else { return }
    unmerged = weight
    weight = adapters[used].merged(into: weight)
  }

  func unmerge() {
    guard let original = unmerged else { return }
    weight = original
    unmerged = nil
  }

  /// A layer as models have it, with an adapter's change in its float32 weight.
  func merged(_ name: String) -> Linear {
    unmerge()
    guard let adapter = adapter(name) else { return Linear(weight: weight, bias: bias) }
    return Linear(weight: adapter.merged(into: weight), bias: bias)
  }
}
