import NablaTensor
import NablaTraining

extension LoRAStep {
  /// Two fine-tunes of one base on one text, step by step beside each other: all of every matrix, and adapters alone.
  static let race = Computation.job("race") { query, _, job in
    let tune = try tuneKey(query)
    let key = SmallAdapters.Key(tune: tune, rank: try query.integer("r2", in: 1...32, default: 4))
    job.show("phase", "teaching the small model its nursery rhymes")
    let small = try SmallModel.trained(seed: tune.seed)
    guard job.mayContinue() else { return }
    let (whole, adapted) = (small.model(), try SmallAdapters.start(small, rank: key.rank))
    SmallFineTune.freezeAllButLayers(whole)
    var full = try SmallTraining(
      whole, small.tokenizer, text: tune.task.text, learningRate: SmallFineTune.learningRate,
      steps: SmallFineTune.steps,
      seed: tune.seed)
    var low = try SmallAdapters.training(small, adapted, tune)
    func trainable(_ training: SmallTraining) -> Int {
      training.model.trainableParameters().reduce(0) { $0 + $1.value.count }
    }
    job.show(
      "facts", Facts(all: small.weights.values.reduce(0) { $0 + $1.count }, full: trainable(full), low: trainable(low)))
    job.show("phase", "fine-tuning")
    var shown = 0.0
    while !full.isFinished, job.mayContinue() {
      job.append("loss", [Double(full.count + 1), full.take(), low.take()])
      let now = monotonicSeconds()
      if now - shown > 0.25 || full.isFinished {
        shown = now
        job.show(
          "samples", [try small.sample(whole, from: tune.task.start), try small.sample(adapted, from: tune.task.start)])
      }
    }
    guard full.isFinished else { return }
    job.show("losses", [try small.loss(whole, on: tune.task.text), try small.loss(adapted, on: tune.task.text)])
    SmallAdapters(small, key, adapted).keep(key)
  }

  private struct Facts: Encodable {
    /// Parameters of the model, and those that each training changes.
    var all, full, low: Int
  }
}
