extension StudioStep {
  /// Step 5: changes of low rank, and bases of four bits.
  static let lora = StudioStep(
    "lora", title: "LoRA",
    computations: [
      LoRAStep.sources, LoRAStep.change, LoRAStep.count, LoRAStep.race, LoRAStep.merge, LoRAStep.matrices,
      LoRAStep.quantize,
    ])
}

enum LoRAStep {}
