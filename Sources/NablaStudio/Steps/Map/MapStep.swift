extension StudioStep {
  /// Step 7.
  static let map = StudioStep("map", title: "The map")
}
