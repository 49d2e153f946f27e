extension StudioStep {
  /// Step 2: a block, a model of blocks, and how one learns.
  static let transformer = StudioStep(
    "transformer", title: "The transformer",
    computations: [
      TransformerStep.lens, TransformerStep.ablation, TransformerStep.train, TransformerStep.panels, TransformerStep.cost,
    ])
}

enum TransformerStep {
  static let sentence = "The capital of France is Paris. The capital of Italy is"
}
