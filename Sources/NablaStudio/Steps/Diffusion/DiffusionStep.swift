extension StudioStep {
  /// Step 3.
  static let diffusion = StudioStep("diffusion", title: "Diffusion")
}
