extension StudioStep {
  /// Step 3: noise added, told apart and taken away again.
  static let diffusion = StudioStep(
    "diffusion", title: "Diffusion",
    computations: [
      DiffusionStep.noise, DiffusionStep.learn, DiffusionStep.samplers, DiffusionStep.quality, DiffusionStep.guidance,
      DiffusionStep.runs, DiffusionStep.images,
    ])
}

enum DiffusionStep {
  /// The place of every arrow of a field: 17 × 17 over the plane that the page shows.
  static let gridSide = 17
}
