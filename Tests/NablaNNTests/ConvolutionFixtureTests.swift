import NablaTensor
import Testing

/// Convolution, its transpose, pooling and upsampling, in one and two dimensions, against torch.
@Suite struct ConvolutionFixtureTests {
  private func options(_ fixture: Fixture, _ name: String) throws -> [SpatialPair] {
    try fixture["\(name).options"].array(of: Int32.self).map { SpatialPair(Int($0)) }
  }

  @Test(arguments: [
    "conv1d", "conv1d_stride", "conv1d_dilation", "conv1d_groups_nobias", "conv1d_depthwise", "conv2d", "conv2d_1x1",
    "conv2d_stride", "conv2d_dilation", "conv2d_groups_nobias", "conv2d_depthwise", "conv_transpose1d",
    "conv_transpose1d_groups", "conv_transpose2d", "conv_transpose2d_groups_nobias",
  ])
  func convolution(_ name: String) throws {
    let fixture = try Fixture("convolution")
    let o = try options(fixture, name)
    let groups = o[3].width
    try fixture.check(name, inputs: ["input", "weight"] + (name.hasSuffix("nobias") ? [] : ["bias"])) { inputs in
      let (x, w, bias) = (inputs[0], inputs[1], inputs.count > 2 ? inputs[2] : nil)
      return name.contains("transpose")
        ? x.convolutionTransposed(
          w, bias: bias, stride: o[0], padding: o[1], outputPadding: o[4], dilation: o[2], groups: groups)
        : x.convolution(w, bias: bias, stride: o[0], padding: o[1], dilation: o[2], groups: groups)
    }
  }

  @Test(arguments: [
    "max_pool1d", "max_pool2d", "max_pool2d_padding", "avg_pool1d", "avg_pool2d", "avg_pool2d_padding",
  ])
  func pooling(_ name: String) throws {
    let fixture = try Fixture("convolution")
    let o = try options(fixture, name)
    try fixture.check(name, inputs: ["input"]) {
      name.hasPrefix("max")
        ? $0[0].maxPool(o[0], stride: o[1], padding: o[2]) : $0[0].averagePool(o[0], stride: o[1], padding: o[2])
    }
  }

  @Test(arguments: ["upsample_1d", "upsample_2d", "upsample_2d_by3"]) func upsampling(_ name: String) throws {
    let fixture = try Fixture("convolution")
    let scale = try options(fixture, name)[0]
    try fixture.check(name, inputs: ["input"]) { $0[0].upsampledNearest(scale) }
  }
}
