/// Which requests are answered: those that the page itself makes, on this computer. A page of another site that is open
/// in the same browser can send requests here too, also by names that it lets point to 127.0.0.1; its `Host`, its
/// `Origin` or its `Sec-Fetch-Site` gives it away.
public struct RequestGuard: Sendable {
  let port: Int

  public init(port: Int) { self.port = port }

  /// Why the request is refused; nil if it is not.
  public func refusal(host: String?, origin: String?, site: String?) -> String? {
    let names = ["127.0.0.1", "localhost", "[::1]"]
    // Browsers leave out the default port.
    let hosts = names.map { "\($0):\(port)" } + (port == 80 ? names : [])
    guard let host, hosts.contains(host.lowercased()) else {
      return "this page answers to 127.0.0.1:\(port) and to no other host"
    }
    if let origin, !hosts.contains(where: { origin.lowercased() == "http://\($0)" }) {
      return "this page answers to itself and to no other origin"
    }
    if let site, site != "same-origin", site != "none" { return "this page answers to itself and to no other site" }
    return nil
  }
}
