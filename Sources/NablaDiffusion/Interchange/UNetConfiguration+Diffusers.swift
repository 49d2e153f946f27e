import NablaFormats

/// diffusers' `unet/config.json` of a UNet2DModel.
extension UNetConfiguration {
  /// - Throws: ``FileError``, ``JSONError``, ``DataError`` naming the file and field, or ``DiffusionError``.
  init(diffusers path: String) throws {
    let fields = try ConfigurationFields(path: path)
    try fields.demand("_class_name", "UNet2DModel")
    try fields.demand("act_fn", "silu")
    try fields.demand("resnet_time_scale_shift", "default")
    try fields.demand("time_embedding_type", "positional")
    try fields.demand("center_input_sample", false)
    try fields.demand("downsample_type", "conv")
    try fields.demand("upsample_type", "conv")
    try fields.demand("downsample_padding", 1)
    for name in ["class_embed_type", "attn_norm_num_groups", "time_embedding_dim"] { try fields.demand(name, .null) }
    if let factor = try fields.number("mid_block_scale_factor"), factor != 1 {
      throw fields.failure("mid_block_scale_factor", "is \(factor); only 1 is supported")
    }
    let channels = try fields.sizes("block_out_channels") ?? [224, 448, 672, 896]
    let attention = try Self.attention(
      fields, "down_block_types", plain: "DownBlock2D", attending: "AttnDownBlock2D",
      default: [false, true, true, true])
    let above = try Self.attention(
      fields, "up_block_types", plain: "UpBlock2D", attending: "AttnUpBlock2D", default: [true, true, true, false])
    guard attention.count == channels.count, above == attention.reversed() else {
      throw fields.failure(
        "up_block_types", "do not mirror \"down_block_types\", one for each of \"block_out_channels\"")
    }
    let size: Int = try fields.size("sample_size") ?? 1 << max(channels.count - 1, 0)
    self.init(
      sampleSize: size, inputChannels: try fields.size("in_channels") ?? 3,
      outputChannels: try fields.size("out_channels") ?? 3, blockChannels: channels,
      layersPerBlock: try fields.size("layers_per_block") ?? 2, attentionLevels: attention,
      middleAttention: try fields.bool("add_attention") ?? true,
      headSize: fields.object["attention_head_dim"] == .null ? nil : try fields.size("attention_head_dim") ?? 8,
      normGroups: try fields.size("norm_num_groups") ?? 32, normEpsilon: Float(try fields.number("norm_eps") ?? 1e-5),
      classCount: try fields.size("num_class_embeds") ?? 0, cosineFirst: try fields.bool("flip_sin_to_cos") ?? true,
      frequencyShift: try fields.number("freq_shift") ?? 0)
    try validate()
  }

  private static func attention(
    _ fields: ConfigurationFields, _ name: String, plain: String, attending: String, default standard: [Bool]
  ) throws(DataError) -> [Bool] {
    guard let types = try fields.strings(name) else { return standard }
    var result: [Bool] = []
    for type in types {
      guard type == plain || type == attending else {
        throw fields.failure(name, "has a \"\(type)\"; \"\(plain)\" and \"\(attending)\" are supported")
      }
      result.append(type == attending)
    }
    return result
  }

  var diffusersJSON: JSONValue {
    let down = attentionLevels.map { JSONValue.string($0 ? "AttnDownBlock2D" : "DownBlock2D") }
    let up = attentionLevels.reversed().map { JSONValue.string($0 ? "AttnUpBlock2D" : "UpBlock2D") }
    return [
      "_class_name": "UNet2DModel", "act_fn": "silu", "add_attention": .bool(middleAttention),
      "attention_head_dim": headSize.map { .integer($0) } ?? .null,
      "block_out_channels": .array(blockChannels.map { .integer($0) }), "center_input_sample": false,
      "down_block_types": .array(down), "downsample_padding": 1, "flip_sin_to_cos": .bool(cosineFirst),
      "freq_shift": .integer(Int(frequencyShift)), "in_channels": .integer(inputChannels),
      "layers_per_block": .integer(layersPerBlock), "mid_block_scale_factor": 1,
      "norm_eps": .number(shortest: normEpsilon), "norm_num_groups": .integer(normGroups),
      "num_class_embeds": classCount == 0 ? .null : .integer(classCount), "out_channels": .integer(outputChannels),
      "resnet_time_scale_shift": "default", "sample_size": .integer(sampleSize), "time_embedding_type": "positional",
      "up_block_types": .array(up),
    ]
  }
}
