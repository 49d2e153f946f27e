import Foundation
import Nabla

/// nanoGPT's character model for CPUs, trained for 2,000 iterations on Tiny Shakespeare. The text is not part of the
/// repository: both sides read it from the file that `NABLA_SHAKESPEARE` names.
enum TrainNanoGPT {
  static let row = Row(
    name: "nanogpt-char",
    work: "train nanoGPT's CPU character model, 2,000 iterations, float32",
    peer: .init(script: "nanogpt_char.py", arguments: []),
    nabla: { try nabla() },
    metrics: [.tokensPerSecond, .validationLoss])

  @Sendable static func nabla() throws -> Round {
    guard let path = ProcessInfo.processInfo.environment["NABLA_SHAKESPEARE"] else {
      throw PeerError(description: "nanogpt-char: set NABLA_SHAKESPEARE to the Tiny Shakespeare file")
    }
    let preset = try Preset.named("shakespeare-char")
    let corpus = try TextCorpus.read([path])
    let tokenizer = try CharacterTokenizer(corpus: corpus.documents.map(\.text))
    let data = TokenDataset(try corpus.encode(with: tokenizer), vocabularySize: tokenizer.vocabularySize)
    let (training, validation) = data.split(validationFraction: 0.1)
    let c = preset.training
    var configuration = preset.model
    configuration.vocabularySize = tokenizer.vocabularySize
    let windows = try RandomWindows(training, context: configuration.context, batchSize: c.batchSize, seed: 1337)
    return { [configuration] in
      var random = RandomSource(seed: 1337)
      let model = TransformerLM(configuration, random: &random)
      let schedule = cosine(
        peak: c.learningRate, warmup: c.warmup, total: c.steps, final: c.finalLearningRate)
      let optimizer = AdamW(learningRate: schedule, beta2: c.beta2, weightDecay: c.weightDecay)
      let seconds = secondsPerCall(c.steps) {
        let batch = windows.batch(step: optimizer.step)
        let (_, gradients) = valueAndGradient(of: model) {
          $0.loss(batch.inputs, targets: batch.targets)
        }
        optimizer.update(model, with: gradients.clipped(toNorm: c.clip))
      }
      return [
        "tokens_per_second": Double(c.batchSize * configuration.context) / median(Array(seconds.dropFirst(10)))!,
        "validation_loss": try model.evaluate(validation, tokenizer: tokenizer, batchSize: 64).loss,
        "seconds": seconds.reduce(0, +),
      ]
    }
  }
}
