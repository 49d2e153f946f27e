extension StudioStep {
  /// Step 7: every concept of the chapters, and where it works.
  static let map = StudioStep("map", title: "The map", computations: [MapStep.concepts])
}

enum MapStep {
  /// Something one has to know, or an algorithm that is made of such things.
  struct Concept: Encodable {
    /// A word for addresses.
    var id: String
    var name: String
    var field: Field
    /// What it is, in a sentence or two.
    var what: String
    /// Its formula in TeX; empty where words say it better.
    var formula = ""
    /// Ids of the concepts it is made of.
    var uses: [String] = []
    /// Names of the steps it works in.
    var steps: [String] = []
    /// The files that compute it, and the documents that tell more, from the root of the repository.
    var files: [String] = []
    var documents: [String] = []
  }

  enum Field: String, Encodable, CaseIterable {
    case linearAlgebra = "Linear algebra"
    case calculus = "Calculus"
    case probability = "Probability"
    case information = "Information and numbers"
    case algorithms = "Algorithms"
  }

  struct Graph: Encodable {
    var fields: [String]
    var concepts: [Concept]
  }

  static let concepts = Computation.answer("concepts") { _, _ in
    Graph(fields: Field.allCases.map(\.rawValue), concepts: foundations + algorithms)
  }
}
