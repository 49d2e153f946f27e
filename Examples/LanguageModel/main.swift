// Trains a small transformer on text, byte by byte, and lets it write.
//
//   swift run -c release LanguageModel README.md
import Nabla

let paths = Array(CommandLine.arguments.dropFirst())
let tokenizer = ByteTokenizer()
let tokens = try TextCorpus.read(paths.isEmpty ? ["README.md"] : paths).encode(with: tokenizer)
let data = TokenDataset(tokens, vocabularySize: tokenizer.vocabularySize)

let steps = 200
let (batchSize, context) = (8, 64)
var random = RandomSource(seed: 42)
let model = TransformerLM(
  TransformerConfiguration(
    vocabularySize: tokenizer.vocabularySize, context: context, width: 64, layerCount: 2, headCount: 4),
  random: &random)
let optimizer = AdamW(learningRate: cosine(peak: 5e-3, warmup: 20, total: steps), weightDecay: 0.1)
let windows = try RandomWindows(data, context: context, batchSize: batchSize, seed: 42)

for step in 0..<steps {
  let batch = windows.batch(step: step)  // inputs and targets: B·T tokens, the targets one place further
  let (loss, gradients) = valueAndGradient(of: model) { model in
    model.loss(  // scalar, nats per token
      Tensor(batch.inputs, [batchSize, context]), targets: Tensor(batch.targets, [batchSize, context]))
  }
  optimizer.update(model, with: gradients.clipped(toNorm: 1))
  if step % 20 == 0 || step == steps - 1 { print("step \(step): loss \(loss.item())") }
}

var generator = Generator(model, tokenizer: tokenizer, options: SamplingOptions(temperature: 0.7))
print(try generator.run(prompt: "Nabla ", maximumTokens: 50)[0].text)
