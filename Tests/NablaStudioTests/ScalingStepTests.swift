import Glibc
import NablaFormats
import NablaStudio
import NablaTraining
import Testing

struct ScalingStepTests {
  struct Fit: Decodable {
    let sizes, losses, fitted: [Double]
    let exponent, coefficient, explained: Double
  }

  @Test func theLineStartsOnThePublishedLawAndFollowsItsPoints() throws {
    let published: Fit = try untrained.decoded("scaling", "fit").value
    #expect(abs(published.exponent + 0.076) < 1e-9 && abs(published.explained - 1) < 1e-9)
    let chosen = [5.0, 4, 3.5, 3.2, 2.5, 2.4]
    let fit: Fit = try untrained.decoded(
      "scaling", "fit", ["losses": chosen.map { "\($0)" }.joined(separator: ",")]
    ).value
    // The normal equations by hand: x = ln 10 · 6…11.
    let (x, y) = ((6...11).map { Double($0) * log(10) }, chosen.map { log($0) })
    let (mx, my) = (x.reduce(0, +) / 6, y.reduce(0, +) / 6)
    let slope = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) } / x.reduce(0) { $0 + ($1 - mx) * ($1 - mx) }
    #expect(abs(fit.exponent - slope) < 1e-9)
    #expect(abs(log(fit.coefficient) - (my - slope * mx)) < 1e-9)
    #expect(throws: StudioError.self) { try untrained.answer("scaling", "fit", StudioQuery(["losses": "1,2"])) }
  }

  /// Points on a law with a floor give the law back; without one they are no line.
  @Test func aFloorIsFound() throws {
    struct Floored: Decodable { let exponent, coefficient, floor, explained: Double, curve: [[Double]] }
    let losses = [1e6, 1e7, 1e8, 1e9, 1e10, 1e11].map { 1.7 + 60 * pow($0, -0.25) }
    let text = losses.map { "\($0)" }.joined(separator: ",")
    let fit: Floored = try untrained.decoded("scaling", "fit", ["losses": text, "floor": "1"]).value
    #expect(abs(fit.floor - 1.7) < 1e-3 && abs(fit.exponent + 0.25) < 1e-3 && abs(fit.coefficient - 60) < 1)
    #expect(fit.curve.allSatisfy { abs($0[1] - 1.7 - 60 * pow($0[0], -0.25)) < 0.01 } && fit.explained > 0.999999)
    let line: Floored = try untrained.decoded("scaling", "fit", ["losses": text]).value
    #expect(line.floor == 0 && line.explained < 0.99)
    // On the published line the best floor is none, and no losses are too odd for one.
    let published: Floored = try untrained.decoded("scaling", "fit", ["floor": "1"]).value
    #expect(published.floor == 0 && abs(published.exponent + 0.076) < 1e-6)
    for odd in ["1,1,1,1,1,1", "1,2,3,4,5,6", "20,0.1,20,0.1,20,0.1"] {
      let fit: Floored = try untrained.decoded("scaling", "fit", ["losses": odd, "floor": "1"]).value
      #expect(fit.floor >= 0 && fit.curve.allSatisfy { $0[1].isFinite && $0[1] > 0 })
    }
  }

  struct Budget: Decodable { let compute, parameters, tokens, loss: Double, sizes, losses: [Double] }

  @Test(arguments: [18.0, 21.5, 23.76, 26])
  func theBestSplitIsTheBottomOfItsValley(_ exponent: Double) throws {
    let budget: Budget = try untrained.decoded("scaling", "budget", ["compute": "\(exponent)"]).value
    #expect(abs(6 * budget.parameters * budget.tokens / budget.compute - 1) < 1e-9)
    #expect(budget.losses.allSatisfy { $0 >= budget.loss - 1e-12 })
  }

  struct Plane: Decodable {
    struct Law: Decodable { let E, A, B, alpha, beta: Double }
    struct Contour: Decodable { let loss: Double, points: [[Double]], crossing: [Double] }
    struct Place: Decodable { let parameters, tokens, loss: Double }
    struct Model: Decodable { let name: String, parameters, tokens, compute, loss: Double, best: Place }
    let law: Law, path: [[Double]], contours: [Contour], published: [Model]

    func loss(_ n: Double, _ d: Double) -> Double { law.E + law.A / pow(n, law.alpha) + law.B / pow(d, law.beta) }
  }

  @Test(arguments: ["besiroglu", "hoffmann"])
  func aContourHasOneLossAndCostsLeastOnTheBestPath(_ name: String) throws {
    let plane: Plane = try untrained.decoded("scaling", "plane", ["law": name]).value
    #expect(plane.contours.count == 9)
    for contour in plane.contours {
      #expect(contour.points.allSatisfy { abs(plane.loss($0[0], $0[1]) - contour.loss) < 1e-9 })
      #expect(abs(plane.loss(contour.crossing[0], contour.crossing[1]) - contour.loss) < 1e-9)
      let cost = contour.crossing[0] * contour.crossing[1]
      #expect(contour.points.allSatisfy { $0[0] * $0[1] >= cost * (1 - 1e-9) })
      #expect(contour.points.contains { $0[0] * $0[1] < cost * 1.05 })
    }
    // No move along the budget from the best path lowers the loss.
    for place in plane.path {
      for factor in [0.99, 1.01] {
        #expect(plane.loss(place[0] * factor, place[1] / factor) > plane.loss(place[0], place[1]))
      }
    }
    for model in plane.published {
      #expect(abs(6 * model.best.parameters * model.best.tokens / model.compute - 1) < 1e-9)
      #expect(abs(plane.loss(model.parameters, model.tokens) - model.loss) < 1e-12 && model.best.loss <= model.loss)
    }
  }

  /// What the chapter says of GPT-3 (about 3.15·10²³ by 6ND; the paper's own count is 3.14·10²³) and of Chinchilla's 20
  /// tokens a parameter.
  @Test func publishedModelsAreTheChapters() throws {
    let models = try untrained.decoded("scaling", "plane", as: Plane.self).value.published
    let gpt3 = try #require(models.first { $0.name == "GPT-3" }),
      chinchilla = try #require(models.first { $0.name == "Chinchilla" })
    #expect(abs(gpt3.compute - 3.15e23) < 1e21 && chinchilla.tokens / chinchilla.parameters == 20)
  }

  /// What the page says in words.
  @Test func theTextSaysWhatTheNumbersSay() throws {
    let fit: Fit = try untrained.decoded("scaling", "fit").value
    // "Ten times the parameters take about a sixth off the loss."
    #expect(abs(1 - pow(10, fit.exponent) - 1.0 / 6) < 0.01)
    let plane: Plane = try untrained.decoded("scaling", "plane").value
    func model(_ name: String) throws -> Plane.Model { try #require(plane.published.first { $0.name == name }) }
    for name in ["GPT-3", "Gopher", "MT-NLG"] {
      let large = try model(name)
      #expect(large.parameters > 2 * large.best.parameters && large.tokens < large.best.tokens / 2)
    }
    let (chinchilla, gopher) = (try model("Chinchilla"), try model("Gopher"))
    #expect(chinchilla.parameters / gopher.parameters == 0.25 && abs(chinchilla.compute / gopher.compute - 1) < 0.2)
    #expect(abs(chinchilla.parameters / chinchilla.best.parameters - 1) < 0.1 && chinchilla.loss < gopher.loss)
    let small = try model("Llama 3.1 8B")
    #expect(small.parameters < small.best.parameters / 5 && small.tokens > 5 * small.best.tokens)
    // "Half or twice the best size costs less than half a percent of the loss."
    for factor in [0.5, 2] {
      let (n, d) = (chinchilla.best.parameters * factor, chinchilla.best.tokens / factor)
      #expect(plane.loss(n, d) / chinchilla.best.loss < 1.005)
    }
  }

  struct Hand: Decodable {
    struct Time: Decodable { let name: String, rate, seconds: Double }
    let forward, backward, compute, petaflopDays: Double, times: [Time]
  }

  @Test func sixNDByHand() throws {
    let gpt3: Hand = try untrained.decoded("scaling", "hand").value
    #expect(gpt3.compute == 3.15e23 && gpt3.forward == 1.05e23 && gpt3.backward == 2.1e23)
    // 3.15·10²³ / (10¹⁵ · 86,400).
    #expect(abs(gpt3.petaflopDays - 3645.83) < 0.01)
    let own: Hand = try untrained.decoded(
      "scaling", "hand", ["parameters": "1e6", "tokens": "2e7", "utilization": "0.5"]
    ).value
    #expect(own.compute == 1.2e14 && own.times.map(\.name) == ["this computer", "H100", "1,024 H100"])
    #expect(own.times.allSatisfy { $0.rate > 1e8 && abs($0.seconds * $0.rate * 0.5 / 1.2e14 - 1) < 1e-9 })
    #expect(abs(own.times[1].rate / own.times[2].rate - 1 / 1024.0) < 1e-9)
    for wrong in [["parameters": "0"], ["tokens": "1e300"], ["utilization": "nan"]] {
      #expect(throws: StudioError.self) { try untrained.answer("scaling", "hand", StudioQuery(wrong)) }
    }
  }

  struct Table: Decodable {
    struct Run: Decodable { let parameters, tokens, compute, loss: Double }
    let source: String, isOwn, hasTest: Bool, runs: [Run], kept: Int, problems: [String]
  }
  struct Refit: Decodable {
    let law: Plane.Law, error: Double?, fitError, limit: Double, hasOptimum: Bool
  }

  /// Besiroglu et al. report E 1.8172 ± 0.03, α 0.3478 ± 0.02, β 0.3658 ± 0.02 for these runs.
  @Test func thePublishedRunsGiveThePublishedLaw() throws {
    let studio = Studio(.init(model: "", sweeps: "nowhere"))
    let table: Table = try studio.decoded("scaling", "table").value
    #expect(!table.isOwn && table.runs.count == 240 && table.problems.isEmpty)
    let all: Refit = try studio.decoded("scaling", "refit", ["kept": "240"]).value
    #expect(abs(all.law.E - 1.8172) < 0.005 && abs(all.law.alpha - 0.3478) < 0.005)
    #expect(abs(all.law.beta - 0.3658) < 0.005 && all.error == nil)
    let some: Refit = try studio.decoded("scaling", "refit").value
    #expect(table.runs.prefix(table.kept).allSatisfy { $0.compute <= some.limit })
    let unseen = table.runs[table.kept...]
    #expect(unseen.allSatisfy { $0.compute >= some.limit })
    let errors = unseen.map { run in
      let loss =
        some.law.E + some.law.A / pow(run.parameters, some.law.alpha) + some.law.B / pow(run.tokens, some.law.beta)
      return abs(loss / run.loss - 1)
    }
    #expect(abs(errors.reduce(0, +) / Double(errors.count) - (some.error ?? 0)) < 1e-12)
    #expect(throws: StudioError.self) { try studio.answer("scaling", "refit", StudioQuery(["kept": "241"])) }
  }

  @Test func aSweepOfTheReadersTakesTheirPlace() throws {
    try withTemporaryFolder { temporary in
      let folder = "\(temporary)/sweep"
      _ = try RunFolder.create(at: folder, command: "sweep", configuration: ["budget": 60])
      let studio = Studio(.init(model: "", runs: [folder], sweeps: "nowhere"))
      // Before its first runs are done.
      let early: Table = try studio.decoded("scaling", "table").value
      #expect(!early.isOwn && early.problems.count == 1 && early.problems[0].contains("--resume"))
      var csv = "N,D,loss,run\n"
      for n in [1e5, 3e5, 1e6, 3e6] {
        // The dearest run is off the law, which has not seen it.
        for d in [1e6, 4e6, 1.6e7] {
          let off = n * d == 4.8e13 ? 1.25 : 1
          let loss = off * (0.6 + 90 / pow(n, 0.42) + 400 / pow(d, 0.45))
          csv += "\(n),\(d),\(loss),\(off == 1 ? "runs/01" : "test")\n"
        }
      }
      try AtomicFile.write(csv, to: "\(folder)/points.csv")
      let table: Table = try studio.decoded("scaling", "table").value
      #expect(table.isOwn && table.hasTest && table.runs.count == 12 && table.kept == 11 && table.source == folder)
      let refit: Refit = try studio.decoded("scaling", "refit").value
      #expect(abs(refit.law.E - 0.6) < 1e-3 && abs(refit.law.alpha - 0.42) < 1e-3 && abs(refit.law.beta - 0.45) < 1e-3)
      #expect(abs((refit.error ?? 0) - 0.2) < 1e-4 && refit.fitError < 1e-4)
    }
  }
}
