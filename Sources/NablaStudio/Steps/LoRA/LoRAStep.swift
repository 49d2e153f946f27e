extension StudioStep {
  /// Step 5.
  static let lora = StudioStep("lora", title: "LoRA")
}
