import NablaFormats
import NablaReport

extension Equation {
  /// Hoffmann et al. 2022, equation 2, with the constants of a law.
  static func lossLaw(_ law: Chinchilla) -> Equation {
    let number = { (value: Double) in significant(value, digits: 4) }
    return Equation(
      #"L(N, D) = E + \frac{A}{N^\alpha} + \frac{B}{D^\beta} = "#
        + #"\#(number(law.E)) + \frac{\#(number(law.A))}{N^{\#(number(law.alpha))}}"#
        + #" + \frac{\#(number(law.B))}{D^{\#(number(law.beta))}}"#,
      "Loss in nats a token of a model of N parameters after D tokens (Hoffmann et al. 2022).")
  }

  /// Hoffmann et al. 2022, equation 4.
  static func optimalSplit(_ law: Chinchilla) -> Equation {
    Equation(
      #"N_{\text{opt}} = G \left(\frac{C}{6}\right)^{\frac{\beta}{\alpha + \beta}}, \qquad"#
        + #" G = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha + \beta}}, \qquad C = 6 N D"#,
      "The best size for C FLOP: the exponent is \(significant(law.parameterExponent, digits: 3)).")
  }

  static let kaplanLaw = Equation(
    #"L(N) = \left(\frac{N_c}{N}\right)^{\alpha_N}, \qquad N_{\text{opt}} \propto C^{0.73}"#,
    "Kaplan et al. 2020, equation 1.1; N leaves out the embeddings.")
}
