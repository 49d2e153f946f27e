extension StudioStep {
  /// Step 4.
  static let rlhf = StudioStep("rlhf", title: "Learning from preferences")
}
