/// A sample from the model during training, a file in the run's `samples/`.
public struct RunSample: Sendable, Equatable {
  /// The file name extension, without the dot: "txt", "png".
  public var kind: String
  public var contents: [UInt8]
  /// The text to show where only text can be shown.
  public var text: String

  public init(text: String) { (kind, contents, self.text) = ("txt", Array(text.utf8), text) }
  public init(kind: String, contents: [UInt8], text: String) {
    (self.kind, self.contents, self.text) = (kind, contents, text)
  }
}
