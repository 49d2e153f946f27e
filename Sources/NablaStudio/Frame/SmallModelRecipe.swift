import NablaFormats
import NablaLanguage
import NablaTraining
import Synchronization

/// A small model that the studio trains once where there is no other: about a minute of pretraining on the text at hand.
/// It is a run folder like any other, so that `nabla chat` and `nabla report` take it too.
public final class SmallModelRecipe: Sendable {
  /// How far it is.
  public enum Progress: Sendable, Equatable {
    /// Not begun, or not to be.
    case none
    /// The share of its steps that are done.
    case training(Double)
    case failed(String)
    case done
  }

  /// The run folder.
  public let folder: String
  /// What it is trained on, for readers: "this repository's documents".
  public let text: String
  private let paths: [String]
  private let stopRequest = StopRequest()
  private let state: Mutex<Progress>

  /// - Parameters:
  ///   - folder: A run folder, new or begun or finished.
  ///   - pages: The folder of the page's files, whose text is taken where there are no documents.
  public init(folder: String = ".models/studio", pages: String?) {
    self.folder = folder
    let documents = ["README.md", "Documentation"].filter(pathExists)
    if documents.count == 2 {
      (text, paths) = ("this repository's documents", documents)
    } else {
      let steps = StudioStep.all.compactMap { step in pages.map { "\($0)/steps/\(step.name)/narrative.html" } }
      (text, paths) = ("the text of these pages", steps.filter(pathExists))
    }
    state = Mutex(pathExists("\(folder)/model/config.json") ? .done : .none)
  }

  public var progress: Progress { state.withLock { $0 } }
  public var isFinished: Bool { progress == .done }

  /// Trains it, or what is left of it. Returns when it is done, stopped or wrong; ``progress`` says which.
  ///
  /// - Parameter steps: Nil for the recipe's own number.
  public func train(steps: Int? = nil, observe: @escaping @Sendable (Double) -> Void = { _ in }) {
    do {
      state.withLock { $0 = .training(0) }
      let run =
        pathExists("\(folder)/config.json")
        ? try Pretraining.resume(folder, allowsOtherData: true)
        : try TrainingRun(Pretraining(paths: paths, Self.preset(steps: steps)), at: folder)
      let outcome = try run.train(until: .when { [stopRequest] in stopRequest.isRequested }) { [self] event in
        guard case .step(let step) = event else { return }
        let share = Double(step.progress.done) / Double(step.progress.total)
        state.withLock { $0 = .training(share) }
        observe(share)
      }
      state.withLock { $0 = outcome == .finished ? .done : .none }
    } catch {
      state.withLock { $0 = .failed("\(error)") }
    }
  }

  public func stop() { stopRequest.stop() }

  var isTraining: Bool { if case .training = progress { true } else { false } }

  /// That of `nabla pretrain --preset tiny`, without what only a long run needs.
  static func preset(steps: Int?) throws -> Preset {
    var preset = try Preset.named("tiny")
    if let steps { preset.training.steps = steps }
    preset.training.warmup = min(preset.training.warmup, preset.training.steps / 10)
    return preset
  }
}
