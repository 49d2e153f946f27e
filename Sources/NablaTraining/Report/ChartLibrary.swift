import NablaFormats

/// Chart.js (MIT licence; its notice is in the file), as Debian's package libjs-chart.js installs it.
package enum ChartLibrary {
  package static let paths = [
    "/usr/share/javascript/chart.js/chart.min.js",
    "/usr/share/javascript/chart.js/chart.umd.js",
    "/usr/share/nodejs/chart.js/dist/chart.min.js",
    "/usr/share/nodejs/chart.js/dist/chart.umd.js",
  ]

  /// - Throws: ``ReportError`` that names the package when none of the files is there.
  package static func load(from paths: [String] = paths) throws -> String {
    guard let path = paths.first(where: pathExists) else {
      throw ReportError(kind: .noChartLibrary(searched: paths))
    }
    return try MappedFile(path: path).withBytes { String(decoding: $0, as: UTF8.self) }
  }
}
