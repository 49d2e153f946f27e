import Nabla

extension RunActivity {
  /// For people to read while they wait.
  var text: String {
    switch self {
    case .evaluating: "evaluating"
    case .sampling: "sampling"
    case .saving: "saving"
    case .step(let progress) where progress.done == 0: "step 1 of \(grouped(progress.total)), the first step"
    case .step(let progress): "step \(grouped(progress.done + 1)) of \(grouped(progress.total))"
    }
  }
}
