/// What templates can call by name: the filters, tests and functions of Jinja2's environment, and the methods of Python's
/// types. `Machine` is given them, since they are written in terms of it.
struct Builtins: Sendable {
  typealias Filter = @Sendable (Machine, Value, Arguments) throws(TemplateError) -> Value
  typealias Test = @Sendable (Machine, Value, Arguments) throws(TemplateError) -> Bool

  let filters: [String: Filter]
  /// Filters that do with a `Markup` what they do with any string, or that make one.
  let filtersOfMarkup: Set<String>
  /// Why a filter cannot be used.
  let missingFilter: @Sendable (_ name: String) -> TemplateError
  let tests: [String: Test]
  let functions: [PythonText: RuntimeObject]
  let numberMethods, stringMethods, listMethods, tupleMethods, dictMethods: Methods
}

/// The methods of a Python type: those supported, and the names of the others.
struct Methods: Sendable {
  typealias Body = @Sendable (Machine, Value, Arguments) throws(TemplateError) -> Value

  let here: [PythonText: Body]
  /// Methods that the sandbox does not allow.
  var changing: Set<PythonText> = []
  /// Python attributes that are not supported. They are refused rather than treated as undefined.
  var elsewhere: Set<PythonText> = []
}
