import Glibc
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining

/// β as a parameter learned jointly with the policy, by the same loss: how strongly people prefer what the policy
/// finds better. The learned parameter is ln β, so β stays positive.
///
/// It has its own Adam (Kingma & Ba 2015) and learning rate: a step of Adam changes every parameter by about its
/// learning rate, and that of a language model's weights is far too low for β.
final class LearnedBeta: Module {
  /// ln β: [].
  @Parameter private(set) var logarithm: Tensor
  private let adam: AdamW

  init(_ beta: Float, learningRate: Float) {
    logarithm = Tensor(log(beta))
    adam = AdamW(learningRate: constant(learningRate), weightDecay: 0)
  }

  /// β: [].
  var value: Tensor { logarithm.exp() }

  /// Takes an optimizer step on the mean loss of some pairs, whose log-probabilities are held fixed.
  ///
  /// - Parameter loss: of each pair, as a function of β: [n].
  func step(_ loss: (_ beta: Tensor) -> Tensor) {
    let (_, gradients) = valueAndGradient(of: self) { loss($0.value).mean() }
    if gradients.firstNonFinite == nil { adam.update(self, with: gradients) }
  }

  private struct State: Codable { var step: Int }

  func save(to folder: String) throws {
    var tensors = adam.state
    tensors["logarithm"] = logarithm.stopGradient()
    try SafetensorsFile.write(tensors, to: "\(folder)/beta.safetensors")
    try writeJSON(State(step: adam.step), to: "\(folder)/beta.json")
  }

  func restore(from checkpoint: Checkpoint) throws {
    let file = checkpoint.file("beta.safetensors")
    var tensors = try SafetensorsFile(path: file).tensors()
    guard let saved = tensors.removeValue(forKey: "logarithm"), saved.shape == [] else {
      throw ModelFolderError(file: file, problem: "has no β")
    }
    logarithm = saved
    try adam.restore(tensors, step: readJSON(checkpoint.file("beta.json"), as: State.self).step, for: self)
  }
}
