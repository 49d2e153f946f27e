import NablaTensor

// Adapters of a whole model: one base in memory with several adapters, of which one or none is active.
//
//     model.freeze()
//     try model.addAdapter("policy", LoRAConfiguration(rank: 16), random: &random)
//     model.useAdapter("policy")                        // trainableParameters() are the adapter's
//     model.useAdapter(nil)                             // the base, bit for bit
extension Module {
  /// Gives every target layer a new adapter, which changes nothing yet and is not active; the model is frozen, and
  /// the adapter's parameters are trainable.
  ///
  /// - Returns: the paths of the layers.
  /// - Throws: `AdapterError`; then nothing changes.
  @discardableResult
  public func addAdapter(
    _ name: String = "default", _ configuration: LoRAConfiguration, random: inout RandomSource
  ) throws(AdapterError) -> [String] {
    try configuration.validate()
    let layers = linearLayers()
    let targets = layers.filter { configuration.targets($0.path) }
    guard !targets.isEmpty else {
      var ends: [String] = []
      for layer in layers.map({ String($0.path.split(separator: ".").last!) }) where !ends.contains(layer) {
        ends.append(layer)
      }
      throw .noTarget(targets: configuration.targets, layers: ends)
    }
    for (path, layer) in targets where configuration.rank > min(layer.inputs, layer.outputs) {
      throw .rank(path: path, rank: configuration.rank, shape: "\(layer.weight.shape)")
    }
    var adapters: [String: LoRAAdapter] = [:]
    for (path, layer) in targets { adapters[path] = LoRAAdapter(layer.weight, configuration, random: &random) }
    try addAdapter(name, adapters)
    return targets.map(\.path)
  }

  /// Adds existing adapters, such as those of a file, to the layers at their paths; they are not active. The model is
  /// frozen.
  public func addAdapter(_ name: String, _ adapters: [String: LoRAAdapter]) throws(AdapterError) {
    guard !adapterNames.contains(name) else { throw .exists(name: name) }
    let layers = Dictionary(uniqueKeysWithValues: linearLayers().map { ($0.path, $0.layer) })
    var replacements: [String: Module] = [:]
    var adapted: [(LoRALinear, LoRAAdapter)] = []
    for (path, adapter) in adapters {
      guard let layer = layers[path] else { throw .noTarget(targets: [path], layers: layers.keys.sorted()) }
      let target = layer as? LoRALinear ?? LoRALinear(layer)
      if target !== layer { replacements[path] = target }
      adapted.append((target, adapter))
    }
    for parameter in parameters() where !isAdapterParameter(parameter.name) { parameter.isTrainable = false }
    do {
      try update(modules: replacements)
    } catch {
      preconditionFailure("addAdapter: \(error)")  // the paths are the model's own
    }
    for (layer, adapter) in adapted { layer.add(adapter, name: name) }
  }

  /// Activates an adapter, or none, in every layer.
  public func useAdapter(_ name: String?) {
    for layer in adaptedLayers() { layer.layer.use(name) }
  }

  /// The active adapter; nil for none.
  public var usedAdapter: String? { adaptedLayers().lazy.compactMap { $0.layer.usedName }.first }

  /// Removes an adapter from the model.
  public func removeAdapter(_ name: String) {
    for layer in adaptedLayers() { layer.layer.remove(name) }
  }

  /// The layers with an adapter of this name, and the adapters, in the model's order.
  public func adapter(_ name: String) -> [(path: String, adapter: LoRAAdapter)] {
    adaptedLayers().compactMap { path, layer in layer.adapter(name).map { (path, $0) } }
  }

  /// The names of the model's adapters, in the order in which they were added.
  public var adapterNames: [String] {
    var names: [String] = []
    for (_, layer) in adaptedLayers() { for name in layer.names where !names.contains(name) { names.append(name) } }
    return names
  }

  /// A frozen copy of an adapter under another name: the reference of a run that starts from it.
  public func copyAdapter(_ name: String, as copy: String) throws(AdapterError) {
    let found = adapter(name)
    guard !found.isEmpty else { throw .unknown(name: name, known: adapterNames) }
    var copies: [String: LoRAAdapter] = [:]
    for (path, adapter) in found {
      let copy = LoRAAdapter(copying: adapter)
      copy.freeze()
      copies[path] = copy
    }
    try addAdapter(copy, copies)
  }

  /// Sets the random source for the dropout of an adapter's layers in the next forward passes; nil turns it off.
  public func setDropout(of name: String, random: RandomSource?) {
    var source = random
    for (_, adapter) in adapter(name) { adapter.dropoutSource = source?.split() }
  }

  /// Merges the active adapter into the weights, so that inference costs no more than without it, and
  /// unmerges it bit for bit. `useAdapter` unmerges it too.
  public func mergeUsedAdapter() { for layer in adaptedLayers() { layer.layer.merge() } }
  public func unmergeAdapter() { for layer in adaptedLayers() { layer.layer.unmerge() } }

  /// Merges an adapter into the model permanently: adapted layers become plain ones with float32 weights. Other
  /// adapters are lost.
  public func mergeAdapter(_ name: String) throws(AdapterError) {
    guard adapterNames.contains(name) else { throw .unknown(name: name, known: adapterNames) }
    var replacements: [String: Module] = [:]
    for (path, layer) in adaptedLayers() { replacements[path] = layer.merged(name) }
    do {
      try update(modules: replacements)
    } catch {
      preconditionFailure("mergeAdapter: \(error)")  // the paths are the model's own
    }
  }

  /// The rounding error of merged weights relative to the adapter's change: the ratio of the
  /// Frobenius norms over all its layers.
  public func roundingShare(ofMerging name: String, in type: DType) -> Double {
    var (rounding, change) = (0.0, 0.0)
    for (_, layer) in adaptedLayers() {
      guard let adapter = layer.adapter(name) else { continue }
      let merged = adapter.merged(into: layer.weight)
      rounding += (merged.cast(type).cast(.float32) - merged).sumOfSquares()
      change += (merged - layer.weight.stopGradient().cast(.float32)).sumOfSquares()
    }
    return change > 0 ? (rounding / change).squareRoot() : 0
  }

  private func linearLayers() -> [(path: String, layer: Linear)] {
    namedModules().compactMap { path, module in (module as? Linear).map { (path, $0) } }
  }

  private func adaptedLayers() -> [(path: String, layer: LoRALinear)] {
    namedModules().compactMap { path, module in (module as? LoRALinear).map { (path, $0) } }
  }

  private func isAdapterParameter(_ name: String) -> Bool {
    name.split(separator: ".").contains("adapters")
  }
}
