import NablaFormats
import NablaTensor

/// Options for reading the images of a folder.
public struct ImageFolderOptions: Sendable, Hashable {
  /// All images are converted to these channels.
  public var channels: Image.Channels
  /// Width and height that images are resized to; nil to reject images whose size differs from the first.
  public var size: (width: Int, height: Int)?
  /// The background of transparent areas.
  public var background: UInt8

  public init(channels: Image.Channels = .rgb, size: (width: Int, height: Int)? = nil, background: UInt8 = 255) {
    (self.channels, self.size, self.background) = (channels, size, background)
  }

  public static func == (a: Self, b: Self) -> Bool {
    a.channels == b.channels && a.size?.width == b.size?.width && a.size?.height == b.size?.height
      && a.background == b.background
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(channels)
    hasher.combine(size?.width)
    hasher.combine(size?.height)
    hasher.combine(background)
  }
}

extension ImageDataset {
  /// The PNG images of a folder, in the order of their names.
  ///
  /// Captions come from `captions.jsonl` in the folder, if there is one (objects with `file` or `file_name`, and `text`
  /// or `caption`; images it does not name are skipped), otherwise from the file names: "page_add.png" is "page add".
  /// If the images are in subfolders, each subfolder is a class.
  ///
  /// - Throws: `FileError`, `ImageError`, `JSONError` or ``DataError`` naming the file.
  public init(folder: String, options: ImageFolderOptions = ImageFolderOptions()) throws {
    let entries = try folderEntries(folder).filter { !$0.hasPrefix(".") }
    let classNames = entries.filter { isFolder("\(folder)/\($0)") }
    var files: [(path: String, label: Int32?, caption: String)] = []
    if entries.contains("captions.jsonl") {
      files = try Self.captioned(folder)
    } else {
      for name in entries where isPNG(name) { files.append(("\(folder)/\(name)", nil, caption(ofFile: name))) }
      for (label, name) in classNames.enumerated() {
        for image in try folderEntries("\(folder)/\(name)") where isPNG(image) {
          files.append(("\(folder)/\(name)/\(image)", Int32(label), caption(ofFile: image)))
        }
      }
    }
    guard let first = files.first else { throw DataError(file: folder, problem: "no PNG images") }
    let labels = files.compactMap(\.label)
    guard labels.isEmpty || labels.count == files.count else {
      throw DataError(file: first.path, problem: "an image next to class folders; move it into one of them")
    }
    self.init(
      images: try Self.read(files.map(\.path), options), labels: labels.isEmpty ? nil : labels,
      classNames: labels.isEmpty ? [] : classNames, captions: files.map(\.caption), files: files.map(\.path))
  }

  /// [N, channels, height, width] uint8.
  private static func read(_ paths: [String], _ options: ImageFolderOptions) throws -> Tensor {
    var (bytes, width, height) = ([UInt8](), 0, 0)
    for path in paths {
      var image = try PNG.read(path: path).converted(to: options.channels, background: options.background)
      if let size = options.size { image = image.resized(width: size.width, height: size.height) }
      if width == 0 { (width, height) = (image.width, image.height) }
      guard image.width == width, image.height == height else {
        throw DataError(
          file: path,
          problem: "\(image.width) × \(image.height) pixels, but \(paths[0]) has \(width) × \(height); "
            + "set a size to resize all images")
      }
      bytes += image.bytes
    }
    return Tensor(bytes, [paths.count, height, width, options.channels.rawValue]).transposed(0, 3, 1, 2)
  }

  /// Files and captions of `captions.jsonl`.
  private static func captioned(_ folder: String) throws -> [(path: String, label: Int32?, caption: String)] {
    let path = "\(folder)/captions.jsonl"
    var reader = try LineReader(path: path)
    var (result, seen) = ([(path: String, label: Int32?, caption: String)](), Set<String>())
    while let line = try reader.next() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      func failure(_ problem: String) -> DataError { DataError(file: path, line: reader.number, problem: problem) }
      let value: JSONValue
      do throws(JSONError) {
        value = try JSONValue(parsing: Array(line))
      } catch {
        throw failure("\(error)")
      }
      guard let name = (value["file"] ?? value["file_name"])?.string else { throw failure("no \"file\"") }
      guard let caption = (value["text"] ?? value["caption"])?.string else { throw failure("no \"text\"") }
      guard !name.hasPrefix("/"), !name.split(separator: "/").contains(".."), isPNG(name) else {
        throw failure("\"\(name)\" is not a PNG file of this folder")
      }
      guard seen.insert(name).inserted else { throw failure("\"\(name)\" occurs twice") }
      result.append(("\(folder)/\(name)", nil, caption))
    }
    return result
  }
}

private func isPNG(_ name: String) -> Bool { name.lowercased().hasSuffix(".png") && !name.hasPrefix(".") }

/// "page_white-add.png" → "page white add".
private func caption(ofFile name: String) -> String {
  String(name.dropLast(4).map { $0 == "_" || $0 == "-" ? " " : $0 })
}
