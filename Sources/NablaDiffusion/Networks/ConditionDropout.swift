import NablaTensor

/// Labels of which some are replaced by "no label", so that one network learns the conditional and the unconditional
/// model, as classifier-free guidance requires (Ho & Salimans 2022, algorithm 1).
///
/// - Parameters:
///   - labels: [B] int32.
///   - probability: of replacing a label, in 0...1.
///   - none: the number that means "no label".
///   - random: decides for each row.
public func droppingConditions(
  _ labels: Tensor, probability: Double = 0.1, none: Int, random: inout RandomSource
) -> Tensor {
  Tensor(labels.array(of: Int32.self).map { random.uniform() < probability ? Int32(none) : $0 }, labels.shape)
}
