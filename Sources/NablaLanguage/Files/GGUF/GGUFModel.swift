import NablaFormats
import NablaTensor

/// A language model in a GGUF file.
///
/// ```swift
/// let gguf = try GGUFModel(path: "model.gguf")
/// let model = TransformerLM(gguf.configuration, random: &random)
/// try model.load(gguf.state(), keepingTypes: true)  // weights stay quantized, in the mapped file
/// ```
public struct GGUFModel: Sendable {
  public let file: GGUFFile
  public let configuration: TransformerConfiguration
  let architecture: GGUFArchitecture
  /// The source of each parameter.
  private let places: [String: Place]

  private struct Place {
    let map: GGUFTensorMap
    /// The rows of the tensor, if it holds more parameters than this.
    let rows: Range<Int>?
  }

  public init(path: String) throws { try self.init(GGUFFile(path: path)) }

  /// - Throws: an error that names the file and the key or tensor that is missing, unknown or does not fit.
  public init(_ file: GGUFFile) throws {
    self.file = file
    architecture = try GGUFArchitecture(file)
    let c = try architecture.configuration(file)
    configuration = c
    // Before a list of that length is allocated.
    guard c.layerCount <= file.entries.count else {
      throw ModelFolderError(
        file: file.path, problem: "describes \(c.layerCount) layers, but has \(file.entries.count) tensors")
    }
    let maps = GGUFTensorMap.all(architecture, c)
    var known: Set<String> = architecture == .gpt2 ? [] : GGUFArchitecture.factorNames
    var places: [String: Place] = [:]
    for map in maps {
      known.insert(map.name)
      let entry = try file.entry(map.name)
      let count = map.parameters.count
      var expected = c.shape(of: map.parameters[0])
      let rows = expected[0]
      expected[0] *= count
      guard entry.shape == expected else {
        throw GGUFError(
          file: file.path, subject: .tensor(map.name),
          kind: .malformed("has the shape \(entry.shape); the metadata require \(expected)"))
      }
      guard let dtype = DType(entry.type), dtype.isQuantized || (dtype.isFloatingPoint && dtype != .float64) else {
        throw GGUFError(file: file.path, subject: .tensor(map.name), kind: .unsupportedType(entry.type))
      }
      for (index, parameter) in map.parameters.enumerated() {
        places[parameter] = Place(map: map, rows: count == 1 ? nil : index * rows..<(index + 1) * rows)
      }
    }
    self.places = places
    if let unknown = file.entries.first(where: { !known.contains($0.name) }) {
      throw GGUFError(
        file: file.path, subject: .tensor(unknown.name),
        kind: .malformed("does not belong to a supported \(architecture.rawValue) model"))
    }
  }

  /// Names of the model's parameters, sorted.
  public var parameterNames: [String] { places.keys.sorted() }

  /// The tensor of the file that holds a parameter.
  func entry(_ parameter: String) throws(GGUFError) -> GGUFFile.Entry {
    guard let place = places[parameter] else {
      throw GGUFError(file: file.path, subject: .tensor(parameter), kind: .missingTensor)
    }
    return try file.entry(place.map.name)
  }

  /// A parameter. Matrices stay in the mapped file in their type, except queries and keys whose rows must be permuted;
  /// vectors (norms, biases) are returned in float32.
  public func tensor(_ parameter: String) throws(GGUFError) -> Tensor {
    var tensor = try file.tensor(entry(parameter).name)
    let place = places[parameter]!
    if let rows = place.rows { tensor = tensor[rows] }
    if let heads = place.map.interleavedHeads { tensor = tensor.separatingPairs(heads: heads) }
    return tensor.rank == 1 || parameter.contains("embed_positions") ? tensor.cast(.float32) : tensor
  }

  /// All parameters by name, for `Module.load`.
  public func state() throws(GGUFError) -> [String: Tensor] {
    var state: [String: Tensor] = [:]
    for name in places.keys { state[name] = try tensor(name) }
    return state
  }
}
