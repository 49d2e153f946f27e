import NablaFormats

extension RunContents {
  /// A warning that the model has begun to memorize its training data: since the best validation loss, the training
  /// loss kept falling while the validation loss rose by 5 % or more. Nil if it has not, or if nothing was measured.
  package var overfitting: String? {
    let validation = metrics["validation_loss"]
    let training = metrics["loss"].smoothed(span: 10)
    guard let best = metrics.minimum("validation_loss"), let last = validation.last, last.step > best.step,
      best.value > 0, last.value > 1.05 * best.value,
      let before = training.last(where: { $0.step <= best.step }) ?? training.first, let after = training.last,
      after.value < before.value
    else { return nil }
    let number = { (value: Double) in significant(value, digits: 3) }
    return """
      Overfitting: the validation loss was lowest, \(number(best.value)), at step \(grouped(best.step)) and has risen to \
      \(number(last.value)) since, while the training loss fell from \(number(before.value)) to \(number(after.value)). \
      More data, fewer steps or a smaller model help.
      """
  }
}
