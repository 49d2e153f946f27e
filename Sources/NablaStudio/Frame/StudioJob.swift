import Synchronization

/// Work that goes on while the page watches: a training. It shows values by name, of which the page sees the newest, and
/// adds to lists, of which the page gets every element. Where the page is slower than the work, values in between are
/// dropped, never queued.
///
/// ```swift
/// while job.mayContinue() {
///   job.append("loss", [Double(step), loss])
///   job.show("sample", text)
/// }
/// ```
public final class StudioJob: Sendable {
  let id: String
  private let state = Mutex(State())

  private struct State {
    var values: [String: [UInt8]] = [:]
    var lists: [String: [[UInt8]]] = [:]
    var controls = StudioQuery()
    var isStopped = false
    var isDone = false
    var failure: String?
    /// Steps taken while paused, by the page's count of requests for one.
    var single = 0
  }

  init(id: String) { self.id = id }

  // MARK: For the work

  /// What the page's controls say now.
  public var controls: StudioQuery { state.withLock { $0.controls } }

  /// Replaces the value of this name.
  public func show(_ name: String, _ value: some Encodable) {
    guard let json = try? studioJSON(value) else { return }
    state.withLock { $0.values[name] = json }
  }

  /// Adds to the list of this name.
  public func append(_ name: String, _ element: some Encodable) {
    guard let json = try? studioJSON(element) else { return }
    state.withLock { $0.lists[name, default: []].append(json) }
  }

  /// Whether another step may be taken; waits while the page has the work paused. Its controls are `paused` (1 or 0) and
  /// `single`, a count that grows by one for each single step that is asked for.
  public func mayContinue() -> Bool {
    while true {
      let (isStopped, controls, single) = state.withLock { ($0.isStopped, $0.controls, $0.single) }
      if isStopped { return false }
      if (try? controls.flag("paused", default: false)) != true { return true }
      let asked = (try? controls.integer("single", in: 0...1_000_000, default: 0)) ?? 0
      if asked > single {
        state.withLock { $0.single = asked }
        return true
      }
      pause(milliseconds: 20)
    }
  }

  // MARK: For the server

  func control(_ query: StudioQuery) { state.withLock { $0.controls = query } }
  func stop() { state.withLock { $0.isStopped = true } }
  func end(_ failure: String?) {
    state.withLock { state in
      state.isDone = true
      state.failure = failure
    }
  }

  /// What is new since the last call, as a JSON object; nil if nothing is.
  func takeFrame() -> (json: [UInt8]?, isDone: Bool) {
    let (values, lists, isDone, failure) = state.withLock { state in
      defer { (state.values, state.lists) = ([:], [:]) }
      return (state.values, state.lists, state.isDone, state.failure)
    }
    if values.isEmpty, lists.isEmpty, !isDone { return (nil, false) }
    var parts = values.map { name, json in Array("\"\(name)\":".utf8) + json }
    parts += lists.map { name, items in Array("\"+\(name)\":[".utf8) + items.joined(separator: [0x2C]) + [0x5D] }
    if isDone { parts.append(Array("\"done\":true".utf8)) }
    if let failure, let json = try? studioJSON(failure) { parts.append(Array("\"failure\":".utf8) + json) }
    return ([0x7B] + parts.joined(separator: [0x2C]) + [0x7D], isDone)
  }
}
