extension StudioStep {
  /// Step 8.
  static let summary = StudioStep("summary", title: "Summary")
}
