import Foundation
import NablaDiffusion
import NablaFormats
import NablaTensor
import Testing

@Suite struct DataTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "nabla-diffusion-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  /// Means and variances that follow from each shape.
  @Test func pointSetsHaveTheirShapes() {
    var random = RandomSource(seed: 11)
    func moments(_ set: PointSet) -> (x: Double, y: Double, spread: Double) {
      let points = set.sample(40_000, random: &random)
      let columns = points.transposed()
      return (mean(columns[0]), mean(columns[1]), variance(columns[0]) + variance(columns[1]))
    }
    let gaussians = moments(.eightGaussians)
    #expect(abs(gaussians.x) < 0.1 && abs(gaussians.y) < 0.1 && abs(gaussians.spread - 25.2) < 0.2)
    let board = moments(.checkerboard)
    #expect(abs(board.x) < 0.05 && abs(board.y) < 0.05 && abs(board.spread - 2 * 64 / 12) < 0.2)
    let rings = moments(.rings)  // radii 1.5, 3, 4.5
    #expect(abs(rings.spread - (2.25 + 9 + 20.25) / 3 - 0.02) < 0.1)
    let moons = moments(.moons)  // means ½, ¼ of the unit moons
    #expect(abs(moons.x - (3 * 0.5 - 1)) < 0.05 && abs(moons.y - (3 * 0.25 - 1)) < 0.05)
    let spirals = moments(.spirals)  // E[16·u] = 8
    #expect(abs(spirals.spread - 8.02) < 0.1)
    let dinosaur = moments(.datasaurus)
    #expect(abs(dinosaur.x) < 0.03 && abs(dinosaur.y) < 0.05)
    // Deviations of the 142 points (divided by n): 16.7, 26.8.
    #expect(abs(dinosaur.spread - (16.7 * 16.7 + 26.85 * 26.85) / 144 - 0.005) < 0.1)
  }

  @Test func checkerboardHasNothingOnItsOtherSquares() {
    var random = RandomSource(seed: 12)
    let points = PointSet.checkerboard.sample(5000, random: &random).array()
    for i in stride(from: 0, to: points.count, by: 2) {
      let (column, row) = (Int((points[i] + 4) / 2), Int((points[i + 1] + 4) / 2))
      #expect((column + row) % 2 == 0)
    }
  }

  @Test func readsPoints() throws {
    try withFolder { folder in
      let path = "\(folder)/points.csv"
      func read(_ text: String) throws -> PointFile {
        try AtomicFile.write(text, to: path)
        return try PointFile(path: path)
      }
      let file = try read("x, y\n1, 2.5\r\n-3e-1,4\n\n")
      #expect(file.names == ["x", "y"] && file.points.shape == [2, 2] && file.points.array() == [1, 2.5, -0.3, 4])
      #expect(try read("1,2,3").names == nil)
      for (text, problem) in [
        ("1,2\n3\n", ":2: 1 fields"), ("1,2\n3,x\n", ":2: \"x\" is not a finite"), ("1,nan\n", ":1: \"nan\""),
        ("1,inf\n", "finite"), ("", "no rows"), ("a,b\n", "no rows"), ("a,b\nc,d\n", ":2: \"c\""),
        ("1,1e99\n", "finite"),
      ] {
        #expect("\(text)") { try read(text) } throws: { "\($0)".contains("points.csv") && "\($0)".contains(problem) }
      }
      try AtomicFile.write([0xFF, 0xFE, 0x31], to: path)
      #expect { try PointFile(path: path) } throws: { "\($0)".contains("UTF-8") }
    }
  }

  private func image(_ value: UInt8, size: Int = 4) -> Image {
    Image(width: size, height: size, channels: .gray, bytes: Array(repeating: value, count: size * size))
  }

  @Test func readsFoldersOfImages() throws {
    try withFolder { folder in
      try PNG.write(image(10), to: "\(folder)/page_add.png")
      try PNG.write(image(20), to: "\(folder)/disk-delete.png")
      let plain = try ImageDataset(folder: folder, options: ImageFolderOptions(channels: .gray))
      #expect(plain.captions == ["disk delete", "page add"] && plain.labels == nil)
      #expect(plain.images.shape == [2, 1, 4, 4])
      #expect(abs(plain.batch([1, 0]).array()[0] - (10 / 127.5 - 1)) < 1e-6)
      #expect(pictures(plain.batch([0, 1])) == [image(20), image(10)])

      try AtomicFile.write(
        "{\"file\": \"page_add.png\", \"text\": \"a new page\"}\n", to: "\(folder)/captions.jsonl")
      let captioned = try ImageDataset(folder: folder)
      #expect(captioned.captions == ["a new page"] && captioned.images.shape == [1, 3, 4, 4])
      for (text, problem) in [
        ("{\"file\": \"page_add.png\"}", ":1: no \"text\""), ("{\"text\": \"a\"}", "no \"file\""),
        ("{", "invalid JSON"),
        ("{\"file\": \"../x.png\", \"text\": \"a\"}", "not a PNG file of this folder"), ("", "no PNG images"),
        ("{\"file\": \"gone.png\", \"text\": \"a\"}", "gone.png"),
      ] {
        try AtomicFile.write(text, to: "\(folder)/captions.jsonl")
        #expect("\(text)") { try ImageDataset(folder: folder) } throws: { "\($0)".contains(problem) }
      }
    }
  }

  @Test func subfoldersAreClasses() throws {
    try withFolder { folder in
      for (name, value) in [("cat", 1), ("dog", 2)] as [(String, UInt8)] {
        try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: false)
        try PNG.write(image(value), to: "\(folder)/\(name)/a.png")
      }
      let set = try ImageDataset(folder: folder, options: ImageFolderOptions(channels: .gray))
      #expect(set.classNames == ["cat", "dog"] && set.labels == [0, 1])
      try PNG.write(image(3, size: 6), to: "\(folder)/dog/b.png")
      #expect { try ImageDataset(folder: folder) } throws: {
        "\($0)".contains("dog/b.png: 6 × 6 pixels, but") && "\($0)".contains("set a size")
      }
      let resized = try ImageDataset(
        folder: folder, options: ImageFolderOptions(channels: .gray, size: (width: 2, height: 2)))
      #expect(resized.images.shape == [3, 1, 2, 2] && resized.labels == [0, 1, 1])
      try PNG.write(image(3), to: "\(folder)/loose.png")
      #expect { try ImageDataset(folder: folder) } throws: { "\($0)".contains("next to class folders") }
      try AtomicFile.write([1, 2, 3], to: "\(folder)/cat/z.png")
      #expect { try ImageDataset(folder: folder) } throws: {
        "\($0)".contains("cat/z.png: not a PNG") || "\($0)".contains("loose")
      }
    }
  }

  @Test func readsIDXPairs() throws {
    try withFolder { folder in
      let (images, labels) = ("\(folder)/images", "\(folder)/labels")
      try AtomicFile.write([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 255], to: images)
      try AtomicFile.write([0, 0, 8, 1, 0, 0, 0, 2, 1, 0], to: labels)
      let set = try ImageDataset(imagesPath: images, labelsPath: labels)
      #expect(set.images.shape == [2, 1, 1, 1] && set.labels == [1, 0] && set.classNames == ["0", "1"])
      #expect(set.batch([0, 1]).array() == [-1, 1])
      try AtomicFile.write([0, 0, 8, 1, 0, 0, 0, 1, 1], to: labels)
      #expect { try ImageDataset(imagesPath: images, labelsPath: labels) } throws: { "\($0)".contains("for 2 images") }
      #expect(throws: DataError.self) { try ImageDataset(imagesPath: labels, labelsPath: nil) }
    }
  }

  @Test func scalesAreUndone() {
    var random = RandomSource(seed: 13)
    let points = PointSet.moons.sample(500, random: &random)
    let scale = DataScale(of: points)
    let normal = scale.normalize(points)
    #expect(abs(mean(normal)) < 1e-5 && abs(normal.square().mean().item() - 1) < 1e-4)
    #expect(distance(scale.restore(normal), points) < 1e-6)
    #expect(DataScale(of: .ones([4, 2])).deviations == [1, 1])
  }
}
