import Foundation
import NablaFormats
import NablaTemplates
import Testing

/// Renderings equal to those of jinja2 as `transformers` sets it up (Tests/Fixtures/generate/chat_templates.py).
@Suite struct ChatTemplateTests {
  static let folder = Support.fixtures + "/chat/"
  static let fixture = try! JSONValue(contentsOfFile: folder + "cases.json")
  static let names = Array(Set(fixture["cases"]!.array!.map { $0["template"]!.string! })).sorted()
  static let special = Dictionary(
    uniqueKeysWithValues: fixture["special"]!.object!.members.map { ($0.key, $0.value.string!) })

  @Test(arguments: names)
  func realTemplatesGiveTheSameText(_ name: String) throws {
    let template = try ChatTemplate(String(contentsOfFile: Self.folder + name + ".jinja", encoding: .utf8))
    var rendered = 0
    for expected in Self.fixture["cases"]!.array! where expected["template"]!.string == name {
      let conversation = expected["conversation"]!.string!
      let messages = try ChatMessage.list(Self.fixture["conversations"]![conversation]!, name: conversation)
      var options = Self.fixture["variants"]!.array![expected["options"]!.integer!].object!
      let place: Comment = "\(conversation), variant \(expected["options"]!.integer!)"
      let tools = options["tools"]?.array
      let prompts = options["add_generation_prompt"]!.bool!
      for key in ["tools", "add_generation_prompt"] { options[key] = nil }
      do {
        let text = try template.render(
          messages, specialTokens: Self.special, addGenerationPrompt: prompts, tools: tools, extra: options,
          date: Self.fixture["now"]!.integer)
        let index = try #require(expected["text"]?.integer, "should have thrown: \(place)")
        #expect(Array(text.utf8) == Array(Self.fixture["texts"]!.array![index].string!.utf8), place)
        rendered += 1
      } catch let error as ChatTemplateError {
        #expect(expected["text"] == nil, "\(error): \(place)")
        if let message = expected["refused"]?.string {
          #expect(error.kind == .refused && error.problem == message, place)
        } else {
          #expect(error.kind == .evaluation, "\(error): \(place)")
        }
      }
    }
    #expect(rendered >= 8)
  }

  static let snippets = try! JSONValue(contentsOfFile: folder + "snippets.json").array!

  @Test(arguments: snippets.indices)
  func constructsGiveTheSameText(_ index: Int) throws {
    let snippet = Self.snippets[index]
    let source = snippet["source"]!.string!
    do {
      let text = try ChatTemplate(source).render(
        [ChatMessage(role: "user", content: "hi"), ChatMessage(role: "assistant", content: "yo")],
        specialTokens: Self.special)
      let expected = try #require(snippet["text"]?.string, "should have thrown: \(source)")
      #expect(Array(text.utf8) == Array(expected.utf8), "\(source)\n\(text)\n\(expected)")
    } catch let error as ChatTemplateError {
      #expect(snippet["text"] == nil, "\(error): \(source)")
      #expect((error.kind == .refused) == (snippet["refused"] != nil), "\(error): \(source)")
      if let message = snippet["refused"]?.string { #expect(error.problem == message) }
    }
  }

  static func failure(_ source: String) -> ChatTemplateError? {
    do throws(ChatTemplateError) {
      _ = try ChatTemplate(source).render([ChatMessage(role: "user", content: "hi")])
      return nil
    } catch { return error }
  }

  /// Each template, the kind of its error, the line, and what the message must name.
  static let errors: [(String, ChatTemplateError.Kind, Int, String)] = [
    ("a\n{% import 'x' %}", .unsupported, 2, "{% import %}"),
    ("{% raw %}{% endraw %}", .unsupported, 1, "{% raw %}"),
    ("\n\n{{ messages | shuffle }}", .unsupported, 3, "'shuffle'"),
    ("{{ 1 is prime }}", .unsupported, 1, "'prime'"),
    ("{{ 'a'.zfill(3) }}", .unsupported, 1, "zfill()"),
    ("{{ '%s' % 1 }}", .unsupported, 1, "'%'"),
    ("{{ cycler('a') }}", .unsupported, 1, "'cycler'"),
    ("{% for x in y recursive %}{% endfor %}", .unsupported, 1, "recursive"),
    ("{{ f(*x) }}", .unsupported, 1, "'*'"),
    ("{{ '\\N{BULLET}' }}", .unsupported, 1, "\\N"),
    ("{{ messages[0].pop('role') }}", .unsupported, 1, "pop()"),
    ("{% if true %}\n{{ x", .syntax, 2, "expected }}"),
    ("{% if true %}\n\n", .syntax, 1, "{% if %}"),
    ("{% endif %}", .syntax, 1, "{% endif %}"),
    ("{% break %}", .syntax, 1, "{% break %}"),
    ("{# a\n b", .syntax, 1, "comment"),
    ("{{ 'a\n", .syntax, 1, "string"),
    ("{{ a b }}", .syntax, 1, "'b'"),
    ("{{ ) }}", .syntax, 1, "')'"),
    ("{{ § }}", .syntax, 1, "'§'"),
    ("{{ 99999999999999999999 }}", .syntax, 1, "too large"),
    ("{% set true = 1 %}", .syntax, 1, "'true'"),
    ("x\n{{ missing.role }}", .evaluation, 2, "missing is undefined"),
    ("{{ 1 +\n 'a' }}", .evaluation, 1, "'+' of a number and text"),
    ("{{ 9223372036854775807 + 1 }}", .unsupported, 1, "64 bits"),
    ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", .evaluation, 1, "m() takes at most 1"),
    ("{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", .evaluation, 1, "no argument 'b'"),
    ("{% set a, b = [1] %}", .evaluation, 1, "unpack 1 values into 2"),
  ]

  @Test(arguments: errors.indices)
  func errorsNameTheConstructAndTheLine(_ index: Int) throws {
    let (source, kind, line, part) = Self.errors[index]
    let error = try #require(Self.failure(source), "\(source)")
    #expect(error.kind == kind && error.line == line, "\(source): \(error)")
    #expect("\(error)".contains(part), "\(error)")
    #expect("\(error)".contains("line \(line)"))
  }

  /// An operation on a text of ten million bytes, a hundred thousand times.
  private static func costly(_ expression: String) -> String {
    "{% set s = 'a' * 10000000 %}{% set d = {s: 1} %}{% set d2 = {s: 1} %}"
      + "{% for i in range(100000) %}{% set x = \(expression) %}{% endfor %}"
  }
  private static let name = String(repeating: "n", count: 500_000)

  static let hostile: [(name: String, source: String)] = [
    ("loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"),
    ("range", "{{ range(10 ** 9) | list }}"),
    ("doubling", "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
    ("adding", "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
    ("repeating", "{{ ('x' * 10 ** 9) * 10 ** 9 }}"),
    ("lists", "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
    (
      "sharing",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}"
    ),
    (
      "sharing keys",
      "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x }}"
    ),
    (
      "comparing",
      "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}"
    ),
    (
      "nesting values",
      "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"
    ),
    ("recursion", "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}"),
    (
      "mutual recursion",
      "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{% call a() %}{% endcall %}{% endmacro %}{{ a() }}"
    ),
    ("brackets", "{{ " + String(repeating: "(", count: 100_000) + " }}"),
    ("lists in lists", "{{ " + String(repeating: "[", count: 100_000) + " }}"),
    ("minus signs", "{{ " + String(repeating: "-", count: 100_000) + "1 }}"),
    ("nots", "{{ " + String(repeating: "not ", count: 100_000) + "1 }}"),
    ("sums", "{{ 1" + String(repeating: " + 1", count: 100_000) + " }}"),
    ("members", "{{ a" + String(repeating: ".b", count: 100_000) + " }}"),
    ("calls", "{{ a" + String(repeating: "()", count: 100_000) + " }}"),
    ("filters", "{{ a" + String(repeating: " | string", count: 100_000) + " }}"),
    ("conditions", "{{ a" + String(repeating: " if b else c", count: 100_000) + " }}"),
    ("blocks", String(repeating: "{% if 1 %}", count: 100_000)),
    ("targets", "{% set " + String(repeating: "(", count: 100_000) + " %}"),
    ("replacing", "{% set x = 'a' * 100000 %}{{ x | replace('a', x) }}"),
    ("replacing nothing", "{% set x = 'a' * 100000 %}{{ x.replace('', x) }}"),
    ("joining", "{% set x = 'a' * 100000 %}{{ range(99999) | join(x) }}"),
    ("indenting", "{% set x = '\\n' * 100000 %}{{ x | indent(1000, true, true) }}"),
    ("formatting", "{{ ('{0}' * 10000).format('x' * 100000) }}"),
    ("repeating a list", "{{ [1] * 9223372036854775807 }}"),
    ("repeating a tuple", "{{ (1, 2) * 9223372036854775807 }}"),
    ("repeating text", "{{ 'ab' * 9223372036854775807 }}"),
    ("splitting by", costly("'x'.split(s)")),
    ("replacing by filter", costly("'x' | replace(s, 'y')")),
    ("stripping", costly("'x'.strip(s)")),
    ("starting with", costly("'x'.startswith(s)")),
    ("joining nothing", costly("[] | join(s)")),
    ("keys", costly("{s: 1}")),
    ("looking up", costly("d[s]")),
    ("looking for", costly("s in d")),
    ("attributes", costly("d | attr(s)")),
    ("getting", costly("d.get(s)")),
    ("tests", costly("s is upper")),
    ("lengths", costly("s | length")),
    ("picking", costly("[1] | map(attribute=s) | list")),
    ("namespaces", costly("namespace(d2)")),
    (
      "long names",
      "{% set \(name) = 1 %}{% for i in range(99999) %}{% for j in range(99) %}{% set x = \(name) %}{% endfor %}{% endfor %}"
    ),
    ("concatenating", "{% set s = 'a' * 10000000 %}{{ s" + String(repeating: " ~ s", count: 500) + " }}"),
    ("separators", "{% set s = 'a' * 1000000 %}{{ range(99999) | list | tojson(separators=(s, s)) }}"),
    ("lines", "{% set s = '\\n' * 50000000 %}{{ s.splitlines() | length }}"),
    ("cuts", "{% set s = 'a' * 50000000 %}{{ s.split('a') | length }}"),
    ("words", "{% set s = 'a ' * 25000000 %}{{ s.split() | length }}"),
    ("dates", "{% for i in range(99999) %}{{ strftime_now('%A' * 9999) }}{% endfor %}"),
  ]

  @Test(.timeLimit(.minutes(5)), arguments: hostile.indices)
  func aHostileTemplateEndsInAnError(_ index: Int) throws {
    let (name, source) = Self.hostile[index]
    let error = try #require(Self.failure(source), "\(name)")
    #expect([.limit, .evaluation, .syntax].contains(error.kind), "\(name): \(error)")
  }

  @Test func aLongChatIsNoHostileOne() throws {
    let template = try ChatTemplate(String(contentsOfFile: Self.folder + "qwen3.jinja", encoding: .utf8))
    let text = String(repeating: "some words of a long text. ", count: 100)
    let messages = (0..<400).map { ChatMessage(role: $0 % 2 == 0 ? "user" : "assistant", content: text) }
    #expect(try template.render(messages).utf8.count > 400 * text.utf8.count)
  }

  @Test func namespacesThatHoldThemselvesAreFreed() throws {
    let source =
      "{% set n = namespace() %}{% set n.self = n %}{% macro m() %}{{ n.self is defined }}{% endmacro %}{{ m() }}"
    #expect(try ChatTemplate(source).render([]) == "True")
    // A chain as long as the work allows must not be freed recursively either.
    let chain =
      "{% set n = namespace(x=namespace()) %}{% for i in range(99999) %}{% set n.x = namespace(y=n.x) %}{% endfor %}"
    #expect(try ChatTemplate(chain).render([]) == "")
  }

  @Test func whatTheAssistantSaidIsMarked() throws {
    let template = try ChatTemplate(
      "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}é{% endgeneration %}{% else %}{{ m.content }}{% endif %}\n{% endfor %}"
    )
    let rendering = try template.rendering([
      ChatMessage(role: "user", content: "ü"), ChatMessage(role: "assistant", content: "yes"),
      ChatMessage(role: "user", content: "a"), ChatMessage(role: "assistant", content: ""),
    ])
    #expect(
      rendering.generated.map { String(decoding: Array(rendering.text.utf8)[$0], as: UTF8.self) } == ["yesé", "é"])
  }

  /// Random bytes of real templates, and random tokens: an error or a text, never a trap.
  @Test(arguments: 0..<4 as Range<UInt64>)
  func randomTemplatesNeverTrap(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let sources = try Self.names.map {
      try Array(String(contentsOfFile: Self.folder + $0 + ".jinja", encoding: .utf8).utf8)
    }
    let parts = Self.snippets.flatMap { $0["source"]!.string!.split(separator: " ").map(String.init) }
    let messages = try ChatMessage.list(Self.fixture["conversations"]!["called twice"]!, name: "")
    var outcomes = [0, 0]
    for round in 0..<500 {
      var source: String
      if round % 2 == 0 {
        var bytes = sources.randomElement(using: &random)!
        for _ in 0..<Int.random(in: 1...6, using: &random) {
          let at = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: bytes[at] = Array("{}%#-+'\"()[].|~=,:0a \n\\".utf8).randomElement(using: &random)!
          case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...30, using: &random)))
          default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 20)], at: at)
          }
        }
        source = String(decoding: bytes, as: UTF8.self)
      } else {
        source = (0..<Int.random(in: 1...20, using: &random)).map { _ in parts.randomElement(using: &random)! }
          .joined(separator: " ")
      }
      do throws(ChatTemplateError) {
        _ = try ChatTemplate(source).render(messages, tools: [["type": "function"]])
        outcomes[0] += 1
      } catch { outcomes[1] += 1 }
    }
    #expect(outcomes[0] > 20 && outcomes[1] > 20)
  }
}

@Suite struct ChatMessageTests {
  @Test func messagesKeepTheirFields() throws {
    let json = try JSONValue(
      parsing: #"[{"role":"user","content":"hi","name":"x"},{"role":"assistant","content":null}]"#)
    let messages = try ChatMessage.list(json, name: "m")
    #expect(messages.map(\.role) == ["user", "assistant"] && messages.map(\.content) == ["hi", ""])
    #expect(messages[0].json["name"] == "x")
    #expect(try ChatMessage.list(["messages": json], name: "m") == messages)
  }

  @Test(arguments: [
    ("3", "m: expected a list"), ("[]", "m: the list of messages is empty"), ("[1]", "m: message 1: expected a JSON"),
    (#"[{"role":"user","content":"a"},{"content":"b"}]"#, "m: message 2: expected a \"role\""),
    (#"[{"role":3}]"#, "m: message 1: expected a \"role\""),
    (#"[{"role":"user","content":5}]"#, "m: message 1: \"content\" must be"),
  ])
  func aBadMessageIsNamed(text: String, message: String) throws {
    let json = try JSONValue(parsing: text)
    let error = #expect(throws: ChatMessageError.self) { try ChatMessage.list(json, name: "m") }
    #expect(error.map { "\($0)" }?.hasPrefix(message) == true)
  }
}
