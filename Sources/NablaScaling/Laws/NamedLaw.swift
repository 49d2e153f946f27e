/// A law with its provenance: its source, the range of its data, the uncertainty of its constants.
public struct NamedLaw: Sendable {
  public enum Form: Sendable {
    case chinchilla(Chinchilla)
    case kaplan(Kaplan)
  }

  /// Its name in flags and files.
  public var name: String
  public var title: String
  public var form: Form
  /// The largest training compute, in FLOPs, of the runs it was fitted to.
  public var largestCompute: Double?
  /// The smallest.
  public var smallestCompute: Double?
  /// Refits of samples of its points, for intervals; empty for published laws, whose papers do not give them.
  public var samples: [Chinchilla]

  public init(
    name: String, title: String, form: Form, largestCompute: Double? = nil, smallestCompute: Double? = nil,
    samples: [Chinchilla] = []
  ) {
    self.name = name
    self.title = title
    self.form = form
    self.largestCompute = largestCompute
    self.smallestCompute = smallestCompute
    self.samples = samples
  }

  public var law: any ScalingLaw {
    switch form {
    case .chinchilla(let law): law
    case .kaplan(let law): law
    }
  }

  /// The parametric law, if it is one.
  public var chinchilla: Chinchilla? { if case .chinchilla(let law) = form { law } else { nil } }

  /// The factor by which a compute is above its largest run, or below its smallest; 1 in between.
  public func extrapolation(to compute: Double) -> Double? {
    largestCompute.map { max(1, compute / $0, (smallestCompute ?? 0) / compute) }
  }

  /// The middle 95 % of the samples; nil without samples.
  public func interval(_ quantity: (Chinchilla) -> Double) -> ClosedRange<Double>? {
    samples.isEmpty ? nil : percentileInterval(samples.map(quantity), level: 0.95)
  }
}

extension NamedLaw {
  /// The published laws by name. The runs of Hoffmann et al. in their figure 4 have 1.4·10¹⁸ to 1.3·10²² FLOP; those of
  /// Kaplan et al. reach about 10 PF-days (figure 1), those of Muennighoff et al. 8.7·10⁹ parameters on 178·10⁹ tokens.
  public static let published = [
    NamedLaw(
      name: "chinchilla", title: "Hoffmann et al. 2022, approach 3", form: .chinchilla(.hoffmann),
      largestCompute: 1.3e22, smallestCompute: 1.4e18),
    NamedLaw(
      name: "chinchilla-rounded", title: "Hoffmann et al. 2022, rounded to two digits",
      form: .chinchilla(.hoffmannRounded), largestCompute: 1.3e22, smallestCompute: 1.4e18),
    NamedLaw(
      name: "besiroglu", title: "Besiroglu et al. 2024", form: .chinchilla(.besiroglu), largestCompute: 1.3e22,
      smallestCompute: 1.4e18),
    NamedLaw(
      name: "muennighoff", title: "Muennighoff et al. 2023, data seen once",
      form: .chinchilla(DataConstrained.muennighoff.base), largestCompute: 9.3e21),
    NamedLaw(
      name: "kaplan", title: "Kaplan et al. 2020 (parameters without embeddings)", form: .kaplan(.kaplan2020),
      largestCompute: 10 * Compute.petaflopDay),
  ]

  public static func published(_ name: String) -> NamedLaw? { published.first { $0.name == name } }
}
