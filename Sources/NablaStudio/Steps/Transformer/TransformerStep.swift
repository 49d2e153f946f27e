extension StudioStep {
  /// Step 2: a block, a model of blocks, and how one learns.
  static let transformer = StudioStep(
    "transformer", title: "The transformer",
    computations: [
      TransformerStep.lens.recorded(combining: ["position": (0..<12).map { "\($0)" } + ["47"]]),
      TransformerStep.ablation.recorded(
        [["each": "1"]] + (-1..<30).map { ["skip": "\($0)"] } + ["residuals", "norms"].map { ["skip": "-1", $0: "0"] }),
      TransformerStep.train,
      TransformerStep.panels.recorded(combining: [
        "layer": ["0", "2", "5", "10", "15", "20", "25", "29"], "head": ["0", "2", "4", "6", "8"],
      ]),
      TransformerStep.cost.recorded(combining: ["width": ["64", "128", "256", "512"]]),
    ])
}

enum TransformerStep {
  static let sentence = "The capital of France is Paris. The capital of Italy is"
}
