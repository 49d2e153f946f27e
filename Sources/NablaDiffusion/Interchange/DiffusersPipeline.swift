import NablaFormats
import NablaNN
import NablaTensor

/// A pipeline folder of diffusers, of a UNet2DModel and a DDPM or DDIM scheduler:
///
///     model_index.json   unet/config.json   unet/diffusion_pytorch_model.safetensors   scheduler/scheduler_config.json
public struct DiffusersPipeline {
  public let unet: UNet
  public let scheduler: SchedulerConfiguration

  public init(unet: UNet, scheduler: SchedulerConfiguration) { (self.unet, self.scheduler) = (unet, scheduler) }

  /// - Throws: `FileError`, `JSONError`, `SafetensorsError`, ``DataError`` or ``DiffusionError``, naming the
  ///   file.
  public init(folder: String) throws {
    let configuration = try UNetConfiguration(diffusers: "\(folder)/unet/config.json")
    var random = RandomSource.unset  // every parameter is read
    unet = try UNet(configuration, random: &random)
    let tensors = try SafetensorsModel(path: "\(folder)/unet", baseName: "diffusion_pytorch_model").tensors()
    do throws(StateError) {
      try unet.load(tensors)
    } catch {
      throw DataError(file: "\(folder)/unet", problem: "\(error)")
    }
    scheduler = try SchedulerConfiguration(path: "\(folder)/scheduler/scheduler_config.json")
  }

  /// The recommended sampler of the folder. labels: [B] int32, for networks with classes.
  public func denoiser(labels: Tensor? = nil) -> Denoiser {
    Denoiser(predicting: scheduler.prediction) { [unet] x, step in
      unet(x, Tensor.full([x.shape[0]], Float(step.time)), labels: labels)
    }.thresholded(scheduler.threshold)
  }

  /// Writes a folder that `DDPMPipeline.from_pretrained`, or `DDIMPipeline`, loads.
  public func write(to folder: String, ddim: Bool = false) throws {
    let scheduler = ddim ? "DDIMScheduler" : "DDPMScheduler"
    let index: JSONValue = [
      "_class_name": ddim ? "DDIMPipeline" : "DDPMPipeline", "_diffusers_version": "0.30.0",
      "scheduler": ["diffusers", .string(scheduler)], "unet": ["diffusers", "UNet2DModel"],
    ]
    try AtomicFolder.write(to: folder) { folder in
      try createFolders("\(folder)/unet")
      try createFolders("\(folder)/scheduler")
      try AtomicFile.write(index.serialized(.indented), to: "\(folder)/model_index.json")
      try AtomicFile.write(
        self.scheduler.diffusersJSON(scheduler).serialized(.indented),
        to: "\(folder)/scheduler/scheduler_config.json")
      try AtomicFile.write(unet.configuration.diffusersJSON.serialized(.indented), to: "\(folder)/unet/config.json")
      let state = Dictionary(uniqueKeysWithValues: unet.parameters().map { ($0.name, $0.value) })
      try SafetensorsFile.write(state, to: "\(folder)/unet/diffusion_pytorch_model.safetensors")
    }
  }
}
