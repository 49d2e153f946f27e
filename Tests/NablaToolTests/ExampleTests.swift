import Foundation
import Nabla
import Testing

extension ToolTests {
  /// The programs of Examples/, built beside the tool.
  @Suite struct Examples {
    private func output(_ name: String, _ arguments: [String] = []) throws -> String {
      let program = (Tool.path as NSString).deletingLastPathComponent + "/" + name
      let result = try Tool.Child([program] + arguments, environment: [:], input: nil).finish()
      try #require(result.status == 0, "\(result.summary)")
      return result.output
    }

    /// The numbers that follow `label`, in order.
    private func numbers(_ label: String, in text: String) -> [Double] {
      text.components(separatedBy: label + " ").dropFirst().compactMap { rest in
        Double(rest.prefix { $0.isNumber || "+-.e".contains($0) })
      }
    }

    @Test func languageModelLearns() throws {
      try withFolder { folder in
        let losses = numbers("loss", in: try output("LanguageModel", [folder + "/text.txt"]))
        #expect(losses.first! > 5 && losses.last! < 1, "\(losses)")
      }
    }

    @Test func spiralsAreToldApart() throws {
      let accuracies = numbers("accuracy", in: try output("Spirals"))
      #expect(accuracies.first! < 0.8 && accuracies.last! > 0.97, "\(accuracies)")
    }

    /// In a run of its own, which is finished and so is not trained again.
    @Test func ballsAreCaught() throws {
      try withFolder { folder in
        let text = try output("Catch", [folder + "/run"])
        let shares = numbers("caught", in: text)
        #expect(shares.last! > 0.95, "\(shares)")
        #expect(FileManager.default.fileExists(atPath: folder + "/run/report.html"))
        let again = try output("Catch", [folder + "/run"])
        #expect(numbers("caught", in: again) == shares && again.count < text.count)
      }
    }

    /// Annotators agree with the better quality in about three of four comparisons; σ(z) means what it says.
    @Test func preferencesAreLearned() throws {
      let text = try output("Preferences")
      let (accuracies, errors) = (numbers("held-out accuracy", in: text), numbers("(error", in: text))
      #expect(accuracies.last! > 0.69 && numbers("held-out loss", in: text).last! < 0.6, "\(accuracies)")
      #expect(errors.count == 1 && errors[0] < 0.1, "\(errors)")
    }

    @Test func gradientByHandIsRight() throws {
      let errors = numbers("x", in: try output("CustomGradient"))
      #expect(!errors.isEmpty && errors[0] < 2e-3, "\(errors)")
    }
  }
}
