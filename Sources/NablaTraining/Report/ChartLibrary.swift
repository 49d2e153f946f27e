import NablaFormats

/// Chart.js (MIT licence; its notice is in the file), as Debian's package libjs-chart.js installs it.
enum ChartLibrary {
  static let paths = [
    "/usr/share/javascript/chart.js/chart.min.js",
    "/usr/share/javascript/chart.js/chart.umd.js",
    "/usr/share/nodejs/chart.js/dist/chart.min.js",
    "/usr/share/nodejs/chart.js/dist/chart.umd.js",
  ]

  static func load(from paths: [String] = paths) throws -> String {
    guard let path = paths.first(where: pathExists) else {
      throw ReportError(kind: .noChartLibrary(searched: paths))
    }
    return try MappedFile(path: path).withBytes { String(decoding: $0, as: UTF8.self) }
  }
}

extension Report {
  /// Throws what ``write(for:)`` would throw when Chart.js is in none of these files.
  package static func chartLibrary(in paths: [String]) throws -> String { try ChartLibrary.load(from: paths) }
}
