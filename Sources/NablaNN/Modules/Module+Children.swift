// The children of a module, and replacing them. Names follow mlx-swift.

extension Module {
  /// A module below another, with its path: names joined by dots.
  public typealias NamedModule = (path: String, module: Module)

  /// The modules directly below, in declaration order.
  public func children() -> [NamedModule] {
    members().found.compactMap { name, member in
      guard case .child(let module, _, _) = member else { return nil }
      return (name, module)
    }
  }

  /// Every module below, each before its own children. One that is used twice appears under both paths.
  public func namedModules() -> [NamedModule] { slots().map { ($0.path, $0.module) } }

  /// The modules below that have no children: layers.
  public func leafModules() -> [NamedModule] { namedModules().filter { $0.module.children().isEmpty } }

  /// The module at `path`.
  /// - Throws: `ModuleError.noModule`.
  public func module(at path: String) throws(ModuleError) -> Module { try slot(path, among: slots()).module }

  /// Replaces the module at `path`, so that the model calls `module` instead.
  ///
  /// ```swift
  /// model.freeze()
  /// let layer = try model.module(at: "model.layers.3.self_attn.q_proj") as! Linear
  /// try model.replace("model.layers.3.self_attn.q_proj", with: Adapter(layer))
  /// ```
  ///
  /// The new module's parameters stay trainable or frozen as they are. Optimizers keep their state by name: make a new
  /// one if a replaced parameter had been trained.
  ///
  /// - Throws: `ModuleError` if there is no such module, or its property cannot hold the new one; then nothing changes.
  public func replace(_ path: String, with module: Module) throws(ModuleError) {
    try update(modules: [path: module])
  }

  /// Replaces several modules at once: all of them, or none and an error. See `replace`.
  public func update(modules: [String: Module]) throws(ModuleError) {
    let slots = slots()
    var done: [Slot] = []
    func undo() { for slot in done.reversed() { _ = slot.box?.put(slot.module, at: slot.index) } }
    for (path, module) in modules.sorted(by: { $0.key < $1.key }) {
      do throws(ModuleError) {
        if let outer = modules.keys.first(where: { path.hasPrefix($0 + ".") }) {
          throw ModuleError.overlapping(path: path, outer: outer)
        }
        let slot = try slot(path, among: slots)
        guard let box = slot.box else { throw ModuleError.plainProperty(path: path) }
        guard box.put(module, at: slot.index) else {
          throw ModuleError.wrongType(path: path, needed: box.contentType, given: "\(type(of: module))")
        }
        done.append(slot)
      } catch {
        undo()
        throw error
      }
    }
  }

  /// A module below this one and what holds it.
  private struct Slot {
    let path: String
    let module: Module
    let box: (any NamedBox)?
    let index: Int?
  }

  private func slots(prefix: String = "") -> [Slot] {
    members().found.flatMap { name, member -> [Slot] in
      guard case .child(let module, let box, let index) = member else { return [] }
      let path = prefix + name
      return [Slot(path: path, module: module, box: box, index: index)] + module.slots(prefix: path + ".")
    }
  }

  private func slot(_ path: String, among slots: [Slot]) throws(ModuleError) -> Slot {
    if let slot = slots.first(where: { $0.path == path }) { return slot }
    /// How many characters two paths have in common at the start and at the end.
    func likeness(_ other: String) -> Int {
      zip(path, other).prefix { $0 == $1 }.count + zip(path.reversed(), other.reversed()).prefix { $0 == $1 }.count
    }
    throw .noModule(path: path, nearest: slots.map(\.path).max { likeness($0) < likeness($1) })
  }
}

/// Why a module cannot be found or replaced.
public enum ModuleError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `nearest`: the most similar path; nil if there are no modules.
  case noModule(path: String, nearest: String?)
  /// The module is in a property without `@Named`.
  case plainProperty(path: String)
  /// The given module does not have the type of the property at `path`.
  case wrongType(path: String, needed: String, given: String)
  /// One of the modules to replace is a part of another.
  case overlapping(path: String, outer: String)

  public var description: String {
    switch self {
    case .noModule(let path, let nearest):
      "there is no module '\(path)'" + (nearest.map { ": did you mean '\($0)'?" } ?? "")
    case .plainProperty(let path):
      "'\(path)' cannot be replaced: declare the property that holds it with @Named"
    case .wrongType(let path, let needed, let given):
      "'\(path)' holds a \(needed), which a \(given) is not"
    case .overlapping(let path, let outer):
      "'\(path)' is a part of '\(outer)', which is replaced too: replace one of them"
    }
  }
}
