extension Builtins {
  /// Those of Jinja2 3.1.6, with transformers' `tojson`, `raise_exception` and `strftime_now`.
  static let jinja2 = Builtins(
    filters: Filters.all, filtersOfMarkup: Filters.ofMarkup, missingFilter: Filters.missing, tests: Tests.all,
    functions: Function.global, numberMethods: .number, stringMethods: .string, listMethods: .list,
    tupleMethods: .tuple, dictMethods: .dict)

  /// Throws for unknown filters and tests, except where Jinja2 looks them up only when used.
  func require(in expression: Expression) throws(TemplateError) {
    switch expression {
    case .filter(_, let name, _, let line):
      if filters[name] == nil { throw missingFilter(name).at(line: line) }
    case .test(_, let name, _, let line):
      guard tests[name] != nil else { throw .syntax(line: line, reason: "unknown test '\(name)'") }
    case .conditional: return
    default: break
    }
    for child in expression.children { try require(in: child) }
  }
}
