import NablaTensor

/// A linear layer with a frozen weight and adapters of which at most one is active. With none it equals
/// the original layer, bit for bit.
public final class LoRALinear: Linear {
  /// Switched by `Module.useAdapter`; their names are at the same indices in `names`.
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

  /// Activates the adapter of this name, if the layer has it, or none.
  func use(_ name: String?) {
    unmerge()
    used = name.flatMap { names.firstIndex(of: $0) }
  }

  public override func callAsFunction(_ x: Tensor, residual: Tensor? = nil, output: DType? = nil) -> Tensor {
    guard let used, unmerged == nil else { return super.callAsFunction(x, residual: residual, output: output) }
    return adapters[used].apply(to: x, weight, bias, residual: residual, output: output)
  }

  /// Fused operations may read the weight like that of any layer, and an adapter that is no more than a low-rank update.
  public override var packable: LinearParts? {
    guard let used, unmerged == nil else { return LinearParts(weight: weight, bias: bias) }
    return adapters[used].update.map { LinearParts(weight: weight, bias: bias, update: $0) }
  }

  /// Merges the active adapter's update into the weight, which is kept so that it can be restored.
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

  /// A plain layer, with an adapter's update merged into its float32 weight.
  func merged(_ name: String) -> Linear {
    unmerge()
    guard let adapter = adapter(name) else { return Linear(weight: weight, bias: bias) }
    return Linear(weight: adapter.merged(into: weight), bias: bias)
  }
}
