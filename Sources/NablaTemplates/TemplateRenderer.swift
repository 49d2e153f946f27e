/// Evaluates a template with its variables.
///
/// One renderer is one rendering. The work, the depth and the output are bounded, so that an untrusted template
/// ends in an error at worst.
final class TemplateRenderer {
  /// Steps of work: one for each part evaluated, and one for every 32 bytes or each item that an operation reads or
  /// makes, charged before it does so. It bounds the memory too: what a rendering makes is below 100 MB of text or
  /// 3 million items.
  static let maximumWork = 3_000_000
  /// Bodies, expressions and calls inside each other.
  static let maximumDepth = 400
  /// The work of making what outlives its use: a namespace, or a macro with the scope that it sees.
  static let scopeWork = 8
  /// Lists and mappings inside each other.
  static let maximumValueDepth = 200

  private var work = 0
  var depth = 0
  /// The line being run, for errors in parts that do not know theirs.
  var line = 0
  var output: [UInt8] = []
  /// How many captures (macros, `{% set %}` blocks) collect the output now.
  var captures = 0
  var generated: [Range<Int>] = []
  var scope = TemplateScope(parent: nil)
  var namespaces: [TemplateNamespace] = []
  var closures: [TemplateScope] = []
  /// The result of `strftime_now` for a format.
  let time: (String) -> String

  init(variables: [String: TemplateValue], time: @escaping (String) -> String) {
    scope.values = variables
    self.time = time
  }

  /// Cycles (a namespace that holds itself, a macro in the scope it sees) would never be freed.
  deinit {
    for namespace in namespaces { namespace.attributes = [:] }
    for scope in closures { scope.values = [:] }
  }

  func render(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> [UInt8] {
    // What a template sets is in its own scope, as in Jinja.
    scope = TemplateScope(parent: scope)
    _ = try run(statements)
    return output
  }

  func failure(_ problem: String, _ kind: ChatTemplateError.Kind = .evaluation) -> ChatTemplateError {
    ChatTemplateError(kind: kind, line: line, problem: problem)
  }

  /// Counts work, and ends a template that does too much of it. All work passes here.
  func spend(_ amount: Int = 1) throws(ChatTemplateError) {
    let (sum, overflows) = work.addingReportingOverflow(amount)
    work = overflows ? .max : sum
    if work > Self.maximumWork { throw failure("the template does too much work", .limit) }
  }

  /// Counts the work of `times` times `count` items.
  func spend(_ times: Int, of count: Int) throws(ChatTemplateError) {
    let (product, overflows) = times.multipliedReportingOverflow(by: count)
    try spend(overflows ? .max : product)
  }

  func spend(bytes: Int) throws(ChatTemplateError) { try spend(bytes / 32 + 1) }

  /// Counts the work of `times` times `bytes` bytes.
  func spend(_ times: Int, ofBytes bytes: Int) throws(ChatTemplateError) {
    let (product, overflows) = times.multipliedReportingOverflow(by: bytes)
    try spend(bytes: overflows ? .max : product)
  }

  /// Counts the work of reading a text; other values are charged for by what goes through their items.
  func spend(reading value: TemplateValue) throws(ChatTemplateError) {
    if let bytes = value.textBytes { try spend(bytes: bytes.count) }
  }

  func nested<Result>(
    _ body: () throws(ChatTemplateError) -> Result
  ) throws(ChatTemplateError) -> Result {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.maximumDepth { throw failure("the template nests too deep", .limit) }
    return try body()
  }

  func list(_ items: [TemplateValue], _ kind: TemplateList.Kind = .list) throws(ChatTemplateError) -> TemplateValue {
    try spend(items.count)
    let list = TemplateList(items, kind)
    if list.depth > Self.maximumValueDepth { throw failure("lists are nested too deep", .limit) }
    return .list(list)
  }

  func string(_ bytes: [UInt8]) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: bytes.count)
    return .string(bytes)
  }

  func write(_ bytes: [UInt8]) throws(ChatTemplateError) {
    try spend(bytes: bytes.count)
    output += bytes
  }
}
