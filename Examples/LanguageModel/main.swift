// Trains a small byte-level transformer on text, and generates from it.
//
//   swift run -c release LanguageModel README.md
import Nabla

let paths = Array(CommandLine.arguments.dropFirst())
let tokenizer = ByteTokenizer()
let corpus = try TextCorpus.read(paths.isEmpty ? ["README.md"] : paths)
let data = TokenDataset(try corpus.encode(with: tokenizer), vocabularySize: tokenizer.vocabularySize)
let windows = try RandomWindows(data, context: 64, batchSize: 8, seed: 42)

var random = RandomSource(seed: 42)
let model = TransformerLM(
  TransformerConfiguration(
    vocabularySize: tokenizer.vocabularySize, context: 64, width: 64, layerCount: 2, headCount: 4),
  random: &random)
let optimizer = AdamW(learningRate: cosine(peak: 5e-3, warmup: 20, total: 200), weightDecay: 0.1)

for step in 0..<200 {
  let batch = windows.batch(step: step)
  let (loss, gradients) = valueAndGradient(of: model) { model in
    model.loss(batch.inputs, targets: batch.targets)  // scalar, nats per token
  }
  optimizer.update(model, with: gradients.clipped(toNorm: 1))
  if step % 20 == 0 || step == 199 { print("step \(step): loss \(loss.item())") }
}

var generator = TextGenerator(model, tokenizer: tokenizer, sampling: SamplingOptions(temperature: 0.7))
print(try generator.run(prompt: "Nabla ", maximumTokens: 50)[0].text)
