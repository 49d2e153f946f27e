import ArgumentParser
import Nabla

struct Diffusion: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diffusion", abstract: "Train and sample diffusion models of images, points and tables.",
    discussion: """
      Try it:
        nabla diffusion train moons --objective flow --output runs/moons
        nabla diffusion sample runs/moons --count 1000 --output moons.png
      """,
    subcommands: [DiffusionTrain.self, DiffusionSample.self, DiffusionEvaluate.self])
}

/// Sampling options of every command that generates samples.
struct SamplerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Sampler (values: \(SamplerKind.allCases.map(\.rawValue).joined(separator: ", ")); default: "
        + "the recommended one for the objective).", valueName: "kind"),
    completion: .list(SamplerKind.allCases.map(\.rawValue)))
  var sampler: String?
  @Option(help: ArgumentHelp("Sampling steps (default: recommended for the sampler).", valueName: "n")) var steps: Int?
  @Option(
    help: ArgumentHelp("Classifier-free guidance scale: 1 for none, 0 for unconditional.", valueName: "x"))
  var guidance = 1.0
  @Option(help: ArgumentHelp("Random seed of the noise.", valueName: "n"))
  var seed: UInt64 = 1

  func validate() throws {
    if let sampler, SamplerKind(rawValue: sampler) == nil {
      let names = SamplerKind.allCases.map(\.rawValue)
      throw ValidationError("--sampler should be one of \(names.joined(separator: ", ")), not '\(sampler)'")
    }
    if let steps, !(1...100_000).contains(steps) {
      throw ValidationError("--steps must be between 1 and 100000, not \(steps)")
    }
    if !(guidance.isFinite && abs(guidance) <= 1000) {
      throw ValidationError("--guidance must be a number up to 1000, not \(guidance)")
    }
  }

  var options: DiffusionSampling {
    DiffusionSampling(sampler: sampler.flatMap { SamplerKind(rawValue: $0) }, steps: steps, guidance: guidance)
  }
}
