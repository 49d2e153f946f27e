/// nanoGPT's character model for CPUs, trained for 2,000 iterations on Tiny Shakespeare. The text is not part of the
/// repository: both sides read it from the file that `NABLA_SHAKESPEARE` names.
enum TrainNanoGPT {
  static let row = Row(
    name: "nanogpt-char",
    work: "train nanoGPT's CPU character model, 2,000 iterations, float32",
    peer: .init(script: "nanogpt_char.py", arguments: []),
    nabla: nil,
    metrics: [.tokensPerSecond, .validationLoss])
}
