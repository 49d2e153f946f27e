import ArgumentParser
import Nabla

struct ScalingPlan: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Find the compute-optimal model and training tokens for a budget.",
    usage: """
      nabla scaling plan --compute <FLOP> [options]
      nabla scaling plan --hardware <name> --days <n> [options]
      nabla scaling plan --hardware <name> --cost <amount> --price <amount> [options]
      nabla scaling plan --parameters <n> | --tokens <n> [options]
      """,
    discussion: """
      Counts may have a suffix: 70B, 1.4T, 350M.
      Hardware: \(Hardware.known.map(\.name).joined(separator: ", ")), optionally with a count (8xH100), or \
      'this', which measures this computer.
      Laws: \(NamedLaw.published.map(\.name).joined(separator: ", ")), or a file from 'nabla scaling fit', which gives \
      confidence intervals.
      """)

  @Option(help: ArgumentHelp("Scaling law.", valueName: "name or file")) var law = "besiroglu"
  @Option(help: ArgumentHelp("Training compute, 6ND.", valueName: "FLOP")) var compute: Quantity?
  @Option(help: ArgumentHelp("Training hardware: a name, 8xNAME, or 'this'.", valueName: "name")) var hardware: String?
  @Option(help: ArgumentHelp("Training time in days.", valueName: "n")) var days: Quantity?
  @Option(help: ArgumentHelp("Training time in hours.", valueName: "n")) var hours: Quantity?
  @Option(help: ArgumentHelp("Budget in the currency of --price.", valueName: "amount")) var cost: Quantity?
  @Option(help: ArgumentHelp("Price of one accelerator per hour.", valueName: "amount")) var price: Quantity?
  @Option(help: ArgumentHelp("Number of parameters.", valueName: "n")) var parameters: Quantity?
  @Option(help: ArgumentHelp("Number of training tokens.", valueName: "n")) var tokens: Quantity?
  @Option(
    help: ArgumentHelp(
      "Model FLOPs utilization (default: 0.4; Llama 3 reports 0.38 to 0.43).", valueName: "fraction"))
  var utilization: Double?
  @Option(help: ArgumentHelp("Vocabulary size.", valueName: "n")) var vocabulary = 50_304
  @Option(help: ArgumentHelp("Sequence length in tokens.", valueName: "n")) var context = 2_048
  @Option(help: ArgumentHelp("Micro-batch size in sequences per accelerator, for the memory estimate.", valueName: "n"))
  var microBatch = 1
  @Option(help: ArgumentHelp("Number of unique tokens available, to plan for their repetition.", valueName: "n"))
  var uniqueTokens: Quantity?
  @Option(
    help: ArgumentHelp(
      "Tokens to serve over the model's lifetime, to plan for training and inference compute.", valueName: "n"))
  var serveTokens: Quantity?
  @Flag(help: "Output as one JSON object.") var json = false

  private static let defaultUtilization = 0.4

  func validate() throws {
    if let utilization, !(utilization > 0 && utilization <= 1) {
      throw ValidationError("--utilization must be above 0 and at most 1, not \(utilization)")
    }
    for (name, value, limit) in [
      ("--vocabulary", vocabulary, 1 << 24), ("--context", context, 1 << 24), ("--micro-batch", microBatch, 1 << 20),
    ] where !(1...limit).contains(value) {
      throw ValidationError("\(name) must be between 1 and \(limit), not \(value)")
    }
    let times = [days, hours, cost].count { $0 != nil }
    let budgets = (compute == nil ? 0 : 1) + (times > 0 ? 1 : 0) + (parameters == nil && tokens == nil ? 0 : 1)
    if budgets != 1 || times > 1 {
      throw ValidationError(
        "give one budget: --compute, --hardware with --days, --hours or --cost, or --parameters and --tokens")
    }
    if times > 0, hardware == nil { throw ValidationError("--days, --hours and --cost require --hardware") }
    for (name, isGiven) in [("--price", price != nil), ("--utilization", utilization != nil)]
    where isGiven && hardware == nil {
      throw ValidationError("\(name) requires --hardware: add it, or leave out \(name)")
    }
    if cost != nil, price == nil { throw ValidationError("--cost requires --price, that of one accelerator per hour") }
  }

  func run() throws {
    let machine = try hardware.map { name in
      if name.lowercased() == "this" {
        note("measuring this computer for a second ...")
        return Hardware.this()
      }
      do { return try Hardware(named: name) } catch { throw ValidationError("--hardware: \(error)") }
    }
    let named = try scalingLaw(law)
    var request = PlanRequest(
      law: named, budget: budget(machine), hardware: machine, utilization: utilization ?? Self.defaultUtilization)
    request.hourlyPrice = price?.value
    request.vocabularySize = vocabulary
    request.context = context
    request.microBatch = microBatch
    request.uniqueTokens = uniqueTokens?.value
    request.servedTokens = serveTokens?.value
    let plan = try TrainingPlan(request)
    if (uniqueTokens != nil || serveTokens != nil), named.chinchilla == nil {
      note("note: --unique-tokens and --serve-tokens require a law with an irreducible loss; Kaplan's has none")
    }
    try show(json ? plan.json.serialized() + "\n" : plan.text)
    if let factor = plan.extrapolation, factor > 100 {
      let isSmall = plan.allocation.compute < named.largestCompute ?? 0
      let interval = plan.lossInterval.map { ranged($0) { significant($0, digits: 4) } }
      note(
        "warning: this is \(grouped(factor.rounded())) times beyond the \(isSmall ? "smallest" : "largest") run behind the "
          + "law\(interval.map { "; the 95 % interval of the loss is \($0)" } ?? ""); "
          + "such an extrapolation is unverified")
    }
  }

  private func budget(_ machine: Hardware?) -> PlanRequest.Budget {
    if let compute { return .compute(compute.value) }
    if let parameters, let tokens {
      return .both(Allocation(parameters: parameters.value, tokens: tokens.value))
    }
    if let parameters { return .parameters(parameters.value) }
    if let tokens { return .tokens(tokens.value) }
    let machine = machine!
    let hours = cost.map { $0.value / (price!.value * Double(machine.count)) } ?? hours?.value ?? days!.value * 24
    return .compute(
      machine.compute(seconds: hours * 3_600, utilization: utilization ?? Self.defaultUtilization))
  }
}
