import NablaFormats
import NablaReport
import NablaTraining
import Testing

@Suite struct OverfittingTests {
  /// Training falls as 4 / step; validation as given, every 10 steps.
  private func page(_ validation: [Double], rising: Bool = false) throws -> String {
    try withTemporaryFolder { folder in
      let run = try RunFolder.create(at: "\(folder)/run", command: "pretrain", configuration: ["a": 1])
      let log = try MetricsLog(folder: run.path)
      for step in 1...(10 * validation.count) {
        try log.record(step: step, ["loss": rising ? Double(step) : 4 / Double(step)])
        if step % 10 == 0 { try log.record(step: step, ["validation_loss": validation[step / 10 - 1]]) }
      }
      return try ReportPage(of: run).html(chartJS: "")
    }
  }

  @Test func saysSoWhereValidationRises() throws {
    let page = try page([3, 2.5, 2.31, 4, 8.4])
    #expect(page.contains("Overfitting: the validation loss was lowest, 2.31, at step 30 and has risen to 8.40 since"))
    #expect(page.contains("<dt>Best validation loss</dt><dd>2.310<small>at step 30</small>"))
    #expect(page.contains("<dt>Last validation loss</dt><dd>8.400<small>at step 50</small>"))
  }

  /// Not of a loss that falls, that wavers by little, or whose training loss rises too.
  @Test(arguments: [[3, 2.5, 2.3], [3, 2.5, 2.6], [2.3], []]) func isSilentElsewhere(validation: [Double]) throws {
    if !validation.isEmpty { #expect(!(try page(validation)).contains("Overfitting")) }
    #expect(!(try page([2, 3, 4], rising: true)).contains("Overfitting"))
  }
}
