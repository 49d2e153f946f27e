// Settings that trainings of every kind have, each written once: a table names where its configuration keeps the value.
//
//     static let settings: [Setting<Training>] = [.learningRate(\.learningRate), .clip(\.clip), …]
extension Setting {
  public typealias Path<Value> = WritableKeyPath<Configuration, Value> & Sendable

  public static func gradientAccumulation(_ path: Path<Int>) -> Setting {
    Setting(
      "gradient-accumulation", path, in: .range(1...1 << 20),
      "Micro-batches per step, for a larger batch in the same memory")
  }
  public static func learningRate(_ path: Path<Float>) -> Setting {
    Setting("learning-rate", path, in: .positive, "Peak learning rate, after the warmup", valueName: "rate")
  }
  public static func finalLearningRate(_ path: Path<Float>) -> Setting {
    Setting(
      "final-learning-rate", path, in: .nonNegative, "Learning rate at the end of the cosine schedule",
      valueName: "rate")
  }
  public static func warmup(_ path: Path<Int>) -> Setting {
    Setting("warmup", path, in: .nonNegative, "Steps of linear learning-rate warmup")
  }
  public static func weightDecay(_ path: Path<Float>) -> Setting {
    Setting("weight-decay", path, in: .nonNegative, "Decoupled weight decay of matrices and embeddings")
  }
  public static func beta1(_ path: Path<Float>) -> Setting { Setting("beta1", path, in: .fraction, "AdamW's β₁") }
  public static func beta2(_ path: Path<Float>) -> Setting { Setting("beta2", path, in: .fraction, "AdamW's β₂") }
  public static func clip(_ path: Path<Float>) -> Setting {
    Setting("clip", path, in: .nonNegative, "Maximum global gradient norm; 0 for no clipping")
  }
  public static func sampleEvery(_ path: Path<Int>) -> Setting {
    Setting("sample-every", path, in: .nonNegative, "Steps between samples; 0 for only the first and last")
  }
  public static func sampleLength(_ path: Path<Int>) -> Setting {
    Setting("sample-length", path, in: .nonNegative, "Tokens in a sample; 0 for no samples")
  }
  public static func checkpointEvery(_ path: Path<Int>) -> Setting {
    Setting("checkpoint-every", path, in: .nonNegative, "Steps between checkpoints; 0 for only the last")
  }
  public static func activationCheckpointing(_ path: Path<Bool>) -> Setting {
    Setting(
      "activation-checkpointing", path,
      "Recomputation of activations in the backward pass: less memory, a third more time")
  }
}
