import NablaLanguage
import NablaTensor
import Testing

import NablaScaling

@Suite struct ConfigurationTests {
  /// The count by formula is the count of the model's tensors.
  @Test(arguments: [true, false], [1, 2, 4])
  func exactParameterCount(isTied: Bool, keyValueHeads: Int) {
    let shape = TransformerShape(
      vocabularySize: 100, context: 32, width: 64, layerCount: 3, headCount: 4, keyValueHeadCount: keyValueHeads,
      tieEmbeddings: isTied)
    var random = RandomSource(seed: 1)
    #expect(TransformerLM(shape.configuration, random: &random).parameterCount == shape.parameterCount)
  }

  @Test func measuredRate() {
    let hardware = Hardware.this(measuringFor: 0.02)
    #expect(hardware.flopPerSecond > 1e8 && hardware.flopPerSecond.isFinite && hardware.count == 1)
  }
}
