/// The tokens that a model expects around a text, such as `<s>` before it (a post-processor in `tokenizer.json`).
public struct TokenTemplate: Sendable, Equatable {
  public var prefix: [Int32]
  public var suffix: [Int32]

  public init(prefix: [Int32] = [], suffix: [Int32] = []) {
    self.prefix = prefix
    self.suffix = suffix
  }
}
