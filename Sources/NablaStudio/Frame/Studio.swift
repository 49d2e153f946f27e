import NablaLanguage
import NablaTraining
import Synchronization

/// What the reader brings, and what the steps share: the model, runs, and the jobs that are going on.
public final class Studio: Sendable {
  /// What `nabla studio` was told.
  public struct Options: Sendable {
    /// A path that `TrainedModel` reads; nil for SmolLM2 where it was fetched, else a small one that the studio trains; ""
    /// for one with random weights.
    public var model: String?
    /// Run folders, adapters, diffusion models.
    public var runs: [String]
    /// Where sweeps of `nabla scaling sweep` are looked for when there is none among `runs`.
    public var sweeps: String
    /// A folder with the page's files, instead of those that were built in.
    public var page: String?

    public init(model: String? = nil, runs: [String] = [], sweeps: String = "runs", page: String? = nil) {
      (self.model, self.runs, self.sweeps, self.page) = (model, runs, sweeps, page)
    }

    /// - Throws: ``StudioError`` for one of ``runs`` that is no run folder, nor an adapter or a diffusion model by itself:
    ///   every step would pass over it.
    public func validate() throws(StudioError) {
      for run in runs where !AdapterFolder.isAdapter(run) && !DiffusionStep.isDiffusion(run) {
        do { _ = try RunFolder.open(run) } catch { throw StudioError("\(error)") }
      }
    }
  }

  public let options: Options
  public let steps: [StudioStep]
  /// Loaded when a step first asks for it.
  public let model: StudioModel
  private let jobs = Mutex((running: [String: StudioJob](), count: 0))

  public init(_ options: Options = Options(), steps: [StudioStep] = StudioStep.all) {
    self.options = options
    self.steps = steps
    model = StudioModel(path: options.model, recipe: SmallModelRecipe(pages: options.page ?? PageFiles.builtFolder))
  }

  /// At most this many jobs at once: two cores make no more than that go well.
  static let largestJobCount = 4

  /// Starts a job on a thread of its own.
  func start(_ computation: Computation, _ query: StudioQuery) throws(StudioError) -> StudioJob {
    guard case .job(let run) = computation.work else {
      throw StudioError("\(computation.name) is no job: ask for its answer")
    }
    let job: StudioJob? = jobs.withLock { jobs in
      if jobs.running.count >= Self.largestJobCount { return nil }
      jobs.count += 1
      let job = StudioJob(id: "\(jobs.count)")
      jobs.running[job.id] = job
      return job
    }
    guard let job else {
      throw StudioError("\(Self.largestJobCount) trainings are going on already: stop one, or close its tab")
    }
    try onThread { [self] in
      var failure: String?
      do { try run(query, self, job) } catch { failure = "\(error)" }
      job.end(failure)
      jobs.withLock { $0.running[job.id] = nil }
    }
    return job
  }

  func job(_ id: String) -> StudioJob? { jobs.withLock { $0.running[id] } }

  /// Stops every job and waits, a few seconds at most, until they have ended: they may have files to remove.
  func stopJobs() {
    for job in jobs.withLock({ Array($0.running.values) }) { job.stop() }
    model.recipe?.stop()
    for _ in 0..<200 where jobs.withLock({ !$0.running.isEmpty }) || model.recipe?.isTraining == true {
      pause(milliseconds: 20)
    }
  }
}
