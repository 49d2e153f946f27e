import Foundation
import NablaDiffusion
import NablaFormats
import NablaTensor
import Testing

@Suite struct InterchangeTests {
  private static let configuration = UNetConfiguration(
    sampleSize: 8, blockChannels: [8, 16], layersPerBlock: 1, attentionLevels: [false, true], normGroups: 4)

  private func withFolder(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "nabla-pipeline-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  private func scheduler(threshold: Threshold = .clip(limit: 1)) throws -> SchedulerConfiguration {
    SchedulerConfiguration(
      try DiscreteProcess(.scaledLinear), prediction: .v, spacing: .trailing, final: .first, threshold: threshold)
  }

  /// What is written reads back as it was: sizes, parameters, table and settings.
  @Test(arguments: [true, false]) func foldersReadBack(_ ddim: Bool) throws {
    var random = RandomSource(seed: 1)
    let pipeline = DiffusersPipeline(unet: try UNet(Self.configuration, random: &random), scheduler: try scheduler())
    try withFolder { folder in
      try pipeline.write(to: "\(folder)/p", ddim: ddim)
      let again = try DiffusersPipeline(folder: "\(folder)/p")
      #expect(again.unet.configuration == Self.configuration)
      for (a, b) in zip(again.scheduler.process.alphaBars, pipeline.scheduler.process.alphaBars) {
        #expect(abs(a / b - 1) < 1e-9)
      }
      #expect(again.scheduler.prediction == .v && again.scheduler.spacing == .trailing)
      #expect(again.scheduler.threshold == .clip(limit: 1))
      #expect(again.scheduler.final == (ddim ? .first : .clean))
      let x = random.normal([2, 1, 8, 8])
      #expect(again.unet(x, [3, 500]).array() == pipeline.unet(x, [3, 500]).array())

      // Zero terminal SNR is written as a last β of 1.
      let zero = SchedulerConfiguration(try DiscreteProcess(.linear, zeroTerminalSNR: true), prediction: .v)
      try DiffusersPipeline(unet: pipeline.unet, scheduler: zero).write(to: "\(folder)/p", ddim: ddim)
      #expect(try DiffusersPipeline(folder: "\(folder)/p").scheduler.process.hasZeroTerminalSNR)
    }
  }

  /// For `Tests/Fixtures/generate/check_diffusers.py`, which loads the folder into diffusers.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["NABLA_DIFFUSERS_FOLDER"] != nil))
  func writesAFolderForDiffusers() throws {
    let folder = ProcessInfo.processInfo.environment["NABLA_DIFFUSERS_FOLDER"]!
    var random = RandomSource(seed: 2)
    let pipeline = DiffusersPipeline(unet: try UNet(Self.configuration, random: &random), scheduler: try scheduler())
    try pipeline.write(to: "\(folder)/pipeline", ddim: true)
    let input = random.normal([2, 1, 8, 8])
    let times: Tensor = [3, 500]
    let steps = try pipeline.scheduler.process.steps(10, spacing: .trailing, final: .first)
    let start = random.normal([2, 1, 8, 8])
    let samples = DDIM().sample(start, pipeline.denoiser(), along: steps, random: &random)
    try SafetensorsFile.write(
      ["input": input, "times": times, "output": pipeline.unet(input, times), "start": start, "samples": samples],
      to: "\(folder)/check.safetensors")
  }

  @Test func whatIsNotSupportedIsNamed() throws {
    var random = RandomSource(seed: 3)
    let pipeline = DiffusersPipeline(unet: try UNet(Self.configuration, random: &random), scheduler: try scheduler())
    try withFolder { folder in
      let path = "\(folder)/p"
      try pipeline.write(to: path)
      func expect(_ file: String, _ field: String, _ value: JSONValue?, _ problem: String) throws {
        try pipeline.write(to: path)
        var object = try #require(try JSONValue(contentsOfFile: "\(path)/\(file)").object)
        object[field] = value
        try AtomicFile.write(JSONValue.object(object).serialized(), to: "\(path)/\(file)")
        #expect("\(field)") { try DiffusersPipeline(folder: path) } throws: {
          "\($0)".contains(problem)
        }
      }
      try expect("unet/config.json", "_class_name", "UNet2DConditionModel", "config.json: \"_class_name\" is")
      try expect("unet/config.json", "act_fn", "gelu", "only \"silu\" is supported")
      try expect("unet/config.json", "down_block_types", ["DownBlock2D", "SkipDownBlock2D"], "SkipDownBlock2D")
      try expect("unet/config.json", "down_block_types", ["DownBlock2D"], "do not mirror")
      try expect("unet/config.json", "block_out_channels", [8, -16], "a list of numbers from 1")
      try expect("unet/config.json", "block_out_channels", [8, 17], "block channels")
      try expect("unet/config.json", "norm_num_groups", 3, "norm groups")
      try expect("unet/config.json", "sample_size", 9, "sample size")
      try expect("unet/config.json", "in_channels", 3, "conv_in.weight has shape")
      try expect("unet/config.json", "layers_per_block", 2, "missing tensor")
      try expect(
        "scheduler/scheduler_config.json", "_class_name", "PNDMScheduler", "scheduler_config.json: \"_class_name\"")
      try expect(
        "scheduler/scheduler_config.json", "prediction_type", "flow", "supported: epsilon, sample, v_prediction")
      try expect("scheduler/scheduler_config.json", "trained_betas", [0.1, 0.2], "has 2 numbers, not 1000")
      try expect("scheduler/scheduler_config.json", "num_train_timesteps", 1e9, "a number from 0 to 65536")
    }
  }
}
