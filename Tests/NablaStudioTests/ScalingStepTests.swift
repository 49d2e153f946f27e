import Glibc
import NablaStudio
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

  struct Budget: Decodable { let compute, parameters, tokens, loss: Double, sizes, losses: [Double] }

  @Test(arguments: [18.0, 21.5, 23.76, 26])
  func theBestSplitIsTheBottomOfItsValley(_ exponent: Double) throws {
    let budget: Budget = try untrained.decoded("scaling", "budget", ["compute": "\(exponent)"]).value
    #expect(abs(6 * budget.parameters * budget.tokens / budget.compute - 1) < 1e-9)
    #expect(budget.losses.allSatisfy { $0 >= budget.loss - 1e-12 })
  }

  struct Published: Decodable {
    struct Model: Decodable { let name: String, parameters, tokens, compute: Double }
    let published: [Model]
  }

  /// What the chapter says of GPT-3 (about 3.15·10²³ by 6ND; the paper's own count is 3.14·10²³) and of Chinchilla's 20
  /// tokens a parameter.
  @Test func publishedModelsAreTheChapters() throws {
    let models = try untrained.decoded("scaling", "budget", as: Published.self).value.published
    let gpt3 = try #require(models.first { $0.name == "GPT-3" }),
      chinchilla = try #require(models.first { $0.name == "Chinchilla" })
    #expect(abs(gpt3.compute - 3.15e23) < 1e21 && chinchilla.tokens / chinchilla.parameters == 20)
  }
}
