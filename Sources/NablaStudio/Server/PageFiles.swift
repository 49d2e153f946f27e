import Glibc
import NablaFormats
import NablaReport

/// The files of the page: Nabla's own, and KaTeX as Debian's libjs-katex installs it.
struct PageFiles: Sendable {
  let folder: String

  /// What was built beside the program.
  static var builtFolder: String { programFolder + "/nabla_NablaStudio.resources/Page" }

  /// - Parameter folder: Where the page's files are; nil for the folder that was built beside the program.
  init(folder: String?) throws(StudioError) {
    guard let folder else {
      let built = Self.builtFolder
      guard pathExists(built + "/index.html") else {
        throw StudioError(
          "the page's files are not beside the program (\(built)): build it with "
            + "'swift build -c release --product nabla-studio'")
      }
      self.folder = built
      return
    }
    guard pathExists(folder + "/index.html") else { throw StudioError("\(folder) has no index.html") }
    self.folder = folder
  }

  /// The bytes and the type of the file at the path of an address; nil where there is none.
  func file(at path: String) -> (bytes: [UInt8], type: String)? {
    let path = path == "/" ? "/index.html" : path
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    // Only plain names: nothing climbs out of the folder, and nothing hidden is served.
    guard !parts.isEmpty, parts.allSatisfy({ !$0.hasPrefix(".") && $0.allSatisfy(Self.isPlain) }),
      let type = Self.types[parts.last!.split(separator: ".").last.map(String.init) ?? ""]
    else { return nil }
    let relative = parts.joined(separator: "/")
    let location =
      parts[0] == "katex" ? KaTeX.folder + "/" + parts.dropFirst().joined(separator: "/") : folder + "/" + relative
    guard let bytes = try? MappedFile(path: location).withBytes({ Array($0) }) else { return nil }
    return (bytes, type)
  }

  private static func isPlain(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
  }

  static let types = [
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
    "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "woff2": "font/woff2", "woff": "font/woff",
    "ttf": "font/ttf",
  ]

  private static var programFolder: String {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    let path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }
}
