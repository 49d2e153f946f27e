import NablaFormats

/// The best of a run's models, judged on data that it is not trained on, and the last that was judged.
///
/// While a run goes on, the folder `best/` in it holds the model and `best.json` this; at the end `model/` does.
public struct BestModel: Codable, Sendable, Equatable {
  /// After so many steps it was judged; of the values the lowest is the best.
  public var step: Int
  public var value: Double
  /// Of the last that was judged.
  public var lastStep: Int
  public var lastValue: Double

  public static let folderName = "best"
  static let fileName = "best.json"

  public init(step: Int, value: Double) {
    (self.step, self.value) = (step, value)
    (lastStep, lastValue) = (step, value)
  }

  /// Whether later models were worse.
  public var isEarlier: Bool { lastStep > step }

  /// Whether later models were worse by more than a hundredth: the run has overfitted.
  public var isOverfit: Bool { isEarlier && lastValue > 1.01 * value }

  /// - Parameter folder: One of those that hold a run's model.
  /// - Returns: nil where the model was not judged.
  public static func read(in folder: String) throws -> BestModel? {
    let file = "\(folder)/\(fileName)"
    return pathExists(file) ? try readJSON(file, as: BestModel.self) : nil
  }

  func write(in folder: String) throws { try writeJSON(self, to: "\(folder)/\(Self.fileName)") }
}
