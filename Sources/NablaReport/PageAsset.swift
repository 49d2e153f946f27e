import NablaFormats

/// The assets of pages: Nabla's own style and scripts, which are embedded in the program, and Chart.js and KaTeX, which
/// Debian's packages libjs-chart.js and libjs-katex install.
public enum PageAsset {
  /// Colors, light and dark, and the style that reports and other pages share.
  public static let style = own("page.css")
  /// The object `nabla`, which the scripts of sections share.
  package static let script = own("page.js")

  static let chartJSPaths = [
    "/usr/share/javascript/chart.js/chart.min.js",
    "/usr/share/javascript/chart.js/chart.umd.js",
    "/usr/share/nodejs/chart.js/dist/chart.min.js",
    "/usr/share/nodejs/chart.js/dist/chart.umd.js",
  ]

  /// The source text of Chart.js (MIT license; its notice is in the file).
  ///
  /// - Throws: ``ReportError`` that names the package when it is not installed.
  public static func chartJS() throws -> String { try chartJS(from: chartJSPaths) }

  package static func chartJS(from paths: [String]) throws -> String {
    try text(of: "Chart.js", package: "libjs-chart.js", paths)
  }

  /// The first of these files that exists.
  static func text(of name: String, package: String, _ paths: [String]) throws -> String {
    guard let path = paths.first(where: pathExists) else {
      throw ReportError(kind: .noAsset(name: name, package: package, searched: paths))
    }
    return try MappedFile(path: path).withBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// A file of the folder Page, which the build embedded in the program.
  static func own(_ name: String) -> String {
    let bytes: [UInt8] =
      switch name {
      case "page.css": PackageResources.page_css
      case "page.js": PackageResources.page_js
      case "charts.js": PackageResources.charts_js
      case "equations.js": PackageResources.equations_js
      case "samples.js": PackageResources.samples_js
      default: preconditionFailure("PageAsset.own: no asset \(name)")
      }
    return String(decoding: bytes, as: UTF8.self)
  }
}
