extension Builtins {
  /// Those of Jinja2 3.1.6, with transformers' `tojson`, `raise_exception` and `strftime_now`.
  static let jinja2 = Builtins(
    filters: Filters.all, filtersOfMarkup: Filters.ofMarkup, missingFilter: Filters.missing, tests: Tests.all,
    functions: Function.global, numberMethods: .number, stringMethods: .string, listMethods: .list,
    tupleMethods: .tuple, dictMethods: .dict)

  /// Throws for filters and tests that do not exist, except where Jinja2 looks for them only when they are used.
  func require(in expression: Expression) throws(TemplateError) {
    switch expression {
    case .filter(_, let name, _, let line):
      if filters[name] == nil { throw missingFilter(name).at(line: line) }
    case .test(_, let name, _, let line):
      guard tests[name] != nil else { throw .syntax(line: line, reason: "there is no test '\(name)'") }
    case .conditional: return
    default: break
    }
    for child in expression.children { try require(in: child) }
  }
}
