import Glibc
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining

/// β as a parameter that is learned beside the policy, by the same loss: how sharply people prefer what the policy finds
/// better. It is e to the power of what is learned, and so stays positive.
///
/// Adam (Kingma & Ba 2015) has a learning rate for it alone: a step of Adam changes every number by about its rate, which
/// for the weights of a language model is far too little for β.
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

  /// Takes a step on the mean loss of some pairs, [n] each, which the policy finds as likely as they say.
  ///
  /// - Parameter loss: of each pair, by β: [n].
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
      throw ModelFolderError(file: file, problem: "holds no β")
    }
    logarithm = saved
    try adam.restore(tensors, step: readJSON(checkpoint.file("beta.json"), as: State.self).step, for: self)
  }
}
