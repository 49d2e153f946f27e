import NablaLanguage

extension TransformerShape {
  /// The model of this shape that `nabla pretrain` can train.
  public var configuration: TransformerConfiguration {
    var configuration = TransformerConfiguration(
      vocabularySize: vocabularySize, context: context, width: width, layerCount: layerCount, headCount: headCount,
      keyValueHeadCount: keyValueHeadCount, headSize: headSize, feedForwardWidth: feedForwardWidth)
    configuration.tieEmbeddings = tieEmbeddings
    return configuration
  }
}
