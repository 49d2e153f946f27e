/// Writes random templates that mostly parse, with the numbers, texts and operations that cost most.
struct TemplateGrammar {
  var random: SplitMix
  /// How much deeper the template may nest.
  private var budget = 60

  init(number: Int) { random = SplitMix(state: UInt64(bitPattern: Int64(number)) &* 0x9E37_79B9_7F4A_7C15 ^ 0x7E) }

  mutating func template() -> String {
    budget = 60
    var text = "{% set s = 'a' * \(number()) %}{% set l = [1, 'b', s] * \(number()) %}{% set n = namespace(x=s) %}"
    text +=
      "{% set d = {'a': l, 'b': 1, s: s} %}{% macro m(a, b=2) %}\(Bool.random(using: &random) ? "{{ a ~ b }}" : "x"){% endmacro %}"
    for _ in 0...Int.random(in: 0...3, using: &random) { text += statement() }
    return text
  }

  private mutating func one(of options: [String]) -> String { options.randomElement(using: &random)! }

  private mutating func number() -> String {
    one(of: [
      "0", "1", "2", "7", "100", "1000", "99999", "1000000", "9223372036854775807", "-1", "-9223372036854775807",
    ])
  }

  private mutating func statement() -> String {
    budget -= 1
    if budget < 0 { return "." }
    switch Int.random(in: 0..<9, using: &random) {
    case 0, 1: return "{% for i in \(expression()) %}\(statement()){% endfor %}"
    case 2: return "{% for i in range(\(number())) %}{% set x = \(expression()) %}{% endfor %}"
    case 3: return "{% if \(expression()) %}\(statement()){% else %}\(statement()){% endif %}"
    case 4: return "{% set n.x = \(expression()) %}"
    case 5: return "{% filter \(filter()) %}\(statement()){% endfilter %}"
    case 6: return "{% set s %}\(statement())\(statement()){% endset %}"
    case 7: return "{% for i in range(\(number())) %}{% set n.x = n.x ~ n.x %}{% endfor %}"
    default: return "{{ \(expression()) }}"
    }
  }

  private mutating func expression() -> String {
    budget -= 1
    if budget < 0 { return one(of: ["s", "1"]) }
    switch Int.random(in: 0..<12, using: &random) {
    case 0: return number()
    case 1:
      return one(of: [
        "s", "l", "d", "n.x", "i", "messages", "none", "true", "''", "'\\u00e9\\n '", "1.5", "loop.index",
      ])
    case 2:
      return
        "(\(expression()) \(one(of: ["+", "-", "*", "/", "//", "%", "**", "~", "<", "==", "in", "not in", "and", "or"])) \(expression()))"
    case 3, 4: return "(\(expression())) | \(filter())"
    case 5, 6: return "(\(expression())).\(method())"
    case 7: return "(\(expression()))[\(expression())]"
    case 8: return "(\(expression()))[\(number()):\(number()):\(number())]"
    case 9:
      return
        "(\(expression())) is \(one(of: ["defined", "string", "odd", "lower", "upper", "iterable", "in l", "eq s", "divisibleby 3"]))"
    case 10:
      return one(of: [
        "m(\(expression()), b=\(expression()))", "dict(a=s, b=l)", "range(\(number()), \(number()), \(number()))",
        "strftime_now(\(expression()))", "namespace(d)",
      ])
    default: return "[\(expression()), \(expression())]"
    }
  }

  private mutating func filter() -> String {
    one(of: [
      "trim", "trim(s)", "upper", "lower", "title", "capitalize", "length", "default(s, true)", "first", "last", "list",
      "reverse", "join(s)", "join(', ', attribute=s)", "replace('', s)", "replace('a', s)", "replace(s, 'b')", "items",
      "dictsort", "sort", "unique", "min", "max(attribute=s)", "sum", "sum(start='')", "map('upper')",
      "map('replace', 'a', s)",
      "map(attribute='a.b')", "select", "select('eq', s)", "rejectattr(s)", "selectattr('a', 'in', l)", "int", "float",
      "abs", "indent(\(number()), true, true)", "indent(s)", "tojson", "tojson(indent=\(number()))",
      "tojson(separators=(s, s))", "tojson(ensure_ascii=true, sort_keys=true)", "string", "safe", "attr(s)",
    ])
  }

  private mutating func method() -> String {
    one(of: [
      "strip()", "strip(s)", "lstrip('a')", "upper()", "title()", "startswith(s)", "endswith((s, 'a'))", "split()",
      "split(s)", "split('a')", "rsplit('a', 1)", "splitlines()", "replace('a', s)", "replace('', s, \(number()))",
      "find(s)",
      "count('a')", "index(s)", "join(l)", "join([s, s])", "format(s, s)", "removeprefix(s)", "isdigit()", "get(s)",
      "items()", "keys()", "values()", "copy()", "count(s)", "index(1)", s(), "cycle(s)",
    ])
  }

  /// A long name.
  private mutating func s() -> String { String(repeating: "x", count: Int.random(in: 1...5000, using: &random)) }
}
