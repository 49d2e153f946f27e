/// A statement of a template, with its line.
struct TemplateStatement: Sendable {
  let line: Int
  let kind: Kind

  indirect enum Kind: Sendable {
    case text([UInt8])
    case output(TemplateExpression)
    case branch([(condition: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
    case loop(TemplateLoop)
    case assign(TemplateTarget, TemplateExpression)
    /// `{% set name | filter %}…{% endset %}`
    case capture(TemplateTarget, filters: [TemplateFilter], body: [TemplateStatement])
    case macro(TemplateMacro)
    /// `{% call(parameters) expression %}…{% endcall %}`; the macro is the block, called `caller`.
    case call(TemplateExpression, TemplateMacro)
    case filter([TemplateFilter], body: [TemplateStatement])
    /// `{% with a = 1 %}…{% endwith %}`
    case with([(target: TemplateTarget, value: TemplateExpression)], body: [TemplateStatement])
    /// `{% generation %}`: the assistant's text, to be trained on.
    case generation([TemplateStatement])
    case leaveLoop, nextIteration
  }
}

struct TemplateLoop: Sendable {
  var target: TemplateTarget
  var items: TemplateExpression
  var condition: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
}

struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, initial: TemplateExpression?)]
  var body: [TemplateStatement]
}

/// Where a value is stored.
indirect enum TemplateTarget: Sendable {
  case name(String)
  /// `namespace.attribute`
  case attribute(String, String)
  case tuple([TemplateTarget])
}

struct TemplateFilter: Sendable {
  var name: String
  var arguments: [TemplateArgument]
  var line: Int
}

struct TemplateArgument: Sendable {
  /// The name of a keyword argument.
  var name: String?
  var value: TemplateExpression
}

/// An expression of a template.
struct TemplateExpression: Sendable {
  let line: Int
  /// 1 more than that of the deepest part: the parser bounds it, so that no walk can overflow the stack.
  let depth: Int
  let kind: Kind

  indirect enum Kind: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string([UInt8])
    case name(String)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, start: TemplateExpression?, stop: TemplateExpression?, step: TemplateExpression?)
    case call(TemplateExpression, [TemplateArgument])
    case filter(TemplateExpression, TemplateFilter)
    case test(TemplateExpression, TemplateFilter, negated: Bool)
    case negative(TemplateExpression)
    case positive(TemplateExpression)
    case not(TemplateExpression)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case arithmetic(TemplateExpression, ArithmeticOperator, TemplateExpression)
    /// `a ~ b ~ c`
    case concatenation([TemplateExpression])
    /// `a < b <= c`
    case comparison(TemplateExpression, [(operation: ComparisonOperator, right: TemplateExpression)])
    case conditional(TemplateExpression, if: TemplateExpression, else: TemplateExpression?)
  }
}

enum ArithmeticOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case remainder = "%"
  case power = "**"
}

enum ComparisonOperator: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case contained = "in"
  case notContained = "not in"
}
