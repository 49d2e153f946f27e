import Foundation
import Nabla
import Testing

extension ToolTests {
  /// `nabla diffusion`.
  @Suite struct Diffusion {
    /// A training of a fraction of a second.
    static let small = [
      "--steps", "40", "--batch-size", "64", "--width", "32", "--depth", "1", "--sample-count", "50",
      "--noise-steps", "100",
    ]

    @Test func trainsSamplesAndEvaluates() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let trained = try Tool.run(
          ["diffusion", "train", "eight-gaussians", "--objective", "flow", "--output", run, "--json"] + Self.small)
        try #require(trained.status == 0, "\(trained.summary)")
        let lines = try trained.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(lines.contains { $0["step"]?.integer == 40 && $0["loss"]?.double != nil })
        #expect(lines.contains { $0["validation_loss_noise_5"]?.double != nil })
        let again = folder + "/again.csv"
        for (output, steps) in [("points.csv", "10"), ("points.png", "10")] {
          let result = try Tool.run([
            "diffusion", "sample", run, "--count", "20", "--steps", steps, "--output", "\(folder)/\(output)",
          ])
          #expect(result.status == 0, "\(result.summary)")
        }
        #expect(try PointFile(path: folder + "/points.csv").points.shape == [20, 2])
        #expect(try PNG.read(path: folder + "/points.png").width == 400)
        _ = try Tool.run(["diffusion", "sample", run, "--count", "20", "--steps", "10", "--output", again])
        #expect(try readText(again) == readText(folder + "/points.csv"), "the same seed gives the same points")
        let evaluated = try Tool.run(["diffusion", "evaluate", run, "--count", "100", "--json"])
        let object = try JSONValue(parsing: Array(evaluated.output.utf8))
        #expect(object["sliced_wasserstein"]!.double! > object["sliced_wasserstein_floor"]!.double!)
        let density = try Tool.run(["diffusion", "evaluate", run, "--count", "100", "--likelihood", "10"])
        #expect(density.status == 0 && density.output.contains(" nats, 10 held-out examples"), "\(density.summary)")
        let judged = try Tool.run(["diffusion", "evaluate", run, "--classifier", folder + "/c.safetensors"])
        #expect(
          judged.status == 1 && judged.errors.contains("--classifier needs images with classes"), "\(judged.summary)")
      }
    }

    @Test func captionedImages() throws {
      try withFolder { folder in
        let images = folder + "/images"
        try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
        for (i, name) in ["page_add", "page_delete", "disk", "disk_add"].enumerated() {
          let image = Image(width: 8, height: 8, channels: .rgb, bytes: .init(repeating: UInt8(60 * i), count: 192))
          try AtomicFile.write(PNG.data(image), to: "\(images)/\(name).png")
        }
        let run = folder + "/run"
        let flags = [
          "diffusion", "train", images, "--objective", "flow", "--output", run, "--steps", "3", "--batch-size", "2",
          "--width", "16", "--depth", "1", "--heads", "2", "--sample-count", "4", "--validation-fraction", "0",
        ]
        let trained = try Tool.run(flags)
        try #require(trained.status == 0, "\(trained.summary)")
        func sample(_ more: [String]) throws -> Tool.Result {
          try Tool.run(
            ["diffusion", "sample", run, "--count", "4", "--steps", "2", "--output", folder + "/a.png"] + more)
        }
        let good = try sample(["--prompt", "disk delete", "--guidance", "3"])
        #expect(good.status == 0, "\(good.summary)")
        #expect(try PNG.read(path: folder + "/a.png").width == 2 * 48 + 2)
        let mask = Image(
          width: 8, height: 8, channels: .gray, bytes: (0..<64).map { $0 < 32 ? 255 : 0 })
        try AtomicFile.write(PNG.data(mask), to: folder + "/mask.png")
        let narrow = Image(width: 7, height: 8, channels: .gray, bytes: .init(repeating: 0, count: 56))
        try AtomicFile.write(PNG.data(narrow), to: folder + "/narrow.png")
        let inpainted = try sample(["--inpaint", images + "/disk_add.png", "--mask", folder + "/mask.png"])
        #expect(inpainted.status == 0, "\(inpainted.summary)")
        // The upper half of each is that of the image, of one color.
        let picture = try PNG.read(path: folder + "/a.png")
        #expect(picture.bytes[0..<3].allSatisfy { $0 == 180 }, "\(picture.bytes[0..<3])")
        #expect(try sample(["--interpolate", "--prompt", "disk"]).status == 0)
        for (flags, problem) in [
          (["--prompt", "disk unicorn"], "unknown word \"unicorn\""), (["--class", "1"], "trained without classes"),
          (["--guidance", "2"], "--guidance requires --class or --prompt"),
          (["--inpaint", images + "/disk.png"], "--inpaint and --mask go together"),
          (["--inpaint", images + "/disk.png", "--mask", folder + "/narrow.png"], "narrow.png: 7 × 8 pixels"),
          (["--sampler", "ancestral"], "--sampler ancestral cannot sample a model of flow: use one of heun"),
        ] {
          let result = try sample(flags)
          #expect(result.status != 0 && result.errors.contains(problem), "\(flags): \(result.summary)")
        }
        // One image is now another.
        let other = Image(width: 8, height: 8, channels: .rgb, bytes: .init(repeating: 9, count: 192))
        try AtomicFile.write(PNG.data(other), to: images + "/disk.png")
        let resumed = try Tool.run(["diffusion", "train", "--resume", run])
        #expect(resumed.status == 1 && resumed.errors.contains("not the data that"), "\(resumed.summary)")
        // A picture of another size.
        let wide = Image(width: 9, height: 8, channels: .rgb, bytes: .init(repeating: 9, count: 216))
        try AtomicFile.write(PNG.data(wide), to: images + "/zoom.png")
        let sizes = try Tool.run(["diffusion", "train", images, "--output", folder + "/sizes"])
        #expect(sizes.status == 1 && sizes.errors.contains("zoom.png: 9 × 8 pixels"), "\(sizes.summary)")
        #expect(!pathExists(folder + "/sizes"), "nothing is left of a run that did not begin")
      }
    }

    @Test func badInput() throws {
      try withFolder { folder in
        try write(Array("1,2\n3,nan\n".utf8), to: folder + "/nan.csv")
        try write(Array("1,2\n3,4\n5,7\n".utf8), to: folder + "/few.csv")
        try write(Array("no image".utf8), to: folder + "/images-idx3-ubyte")
        let cases: [([String], Int32, String)] = [
          ([], 64, "give the training data"),
          (["mons"], 1, "did you mean 'moons'"),
          (["\(folder)/nan.csv"], 1, "nan.csv:2: \"nan\" is not a finite number"),
          (["\(folder)/few.csv"], 1, "--batch-size must be at most 3"),
          (["\(folder)/images-idx3-ubyte"], 1, "images-idx3-ubyte"),
          ([folder], 1, "no PNG images"),
          (["moons", "--network", "unet"], 1, "--network unet is for images"),
          (["moons", "--objective", "gan"], 64, "--objective should be one of ddpm, score, edm, flow"),
          (["moons", "--zero-terminal-snr"], 64, "--prediction to v or data"),
          (["moons", "--noise-steps", "5", "--schedule", "linear"], 1, "betas"),
          (["moons", "--resume", "\(folder)/none"], 1, "none"),
        ]
        for (flags, status, problem) in cases {
          let result = try Tool.run(["diffusion", "train"] + flags + ["--threads", "1"])
          #expect(result.status == status && result.errors.contains(problem), "\(flags): \(result.summary)")
        }
      }
    }
  }
}
