/// Renders a template once.
final class Machine {
  let scopes: Scopes
  let builtins: Builtins
  let surroundings: Surroundings
  private let context: [(name: PythonText, value: Value)]

  /// The current line, for errors.
  var line = 1
  /// The variables of the current function.
  var variables: Variables
  var usesDate = false

  // Remaining budget.
  private var steps: Int
  private var memory: Int
  private var depth = 0

  // Output.
  private var output: [UInt8] = []
  /// The enclosing outputs while a block's text is captured.
  private var outer: [[UInt8]] = []
  private var generations: [(start: Int, text: PythonText)] = []

  /// Objects that may form reference cycles, cleared at the end.
  private var kept: [RuntimeObject] = []

  init(
    _ scopes: Scopes, _ builtins: Builtins, _ context: [(name: String, value: Value)], _ surroundings: Surroundings
  ) {
    self.scopes = scopes
    self.builtins = builtins
    self.surroundings = surroundings
    self.context = context.map { (PythonText($0.name), $0.value) }
    steps = surroundings.limits.steps
    memory = surroundings.limits.memory
    let given = context.reduce(0) { $0 + $1.value.size }
    memory += 64 * given
    steps += 4 * given
    variables = Variables(count: scopes.variables[0], around: nil)
  }

  func run(_ body: [Statement]) throws(TemplateError) {
    enter(0)
    _ = try execute(body)
  }

  /// - Throws: if the text that transformers would mark as a generation differs from the block's text.
  func rendering(hasGeneration: Bool) throws(TemplateError) -> Rendering {
    var ranges: [Range<Int>] = []
    for (start, text) in generations {
      guard start + text.bytes.count <= output.count,
        output[start..<start + text.bytes.count].elementsEqual(text.bytes)
      else {
        throw .refusal(
          "a generation block in a macro, a set block, a filter block or another generation block, "
            + "with text before it: transformers would mark other text than the block's")
      }
      ranges.append(start..<start + text.bytes.count)
    }
    return Rendering(text: output, generations: ranges, hasGeneration: hasGeneration, usesDate: usesDate)
  }

  // MARK: Limits

  func step() throws(TemplateError) {
    steps -= 1
    if steps < 0 { throw .limit(reason: "more than \(surroundings.limits.steps) steps") }
  }

  /// Charges for bytes that are read.
  func charge(reading count: Int) throws(TemplateError) {
    steps -= count >> 6
    if steps < 0 { throw .limit(reason: "more than \(surroundings.limits.steps) steps") }
  }

  /// Charges for bytes that are about to be created.
  func charge(_ count: Int) throws(TemplateError) {
    try charge(reading: count)
    memory -= count
    if memory < 0 { throw .limit(reason: "more memory than \(surroundings.limits.memory >> 20) MiB") }
  }

  func nested<Result>(_ body: () throws(TemplateError) -> Result) throws(TemplateError) -> Result {
    guard depth < surroundings.limits.nesting else { throw .limit(reason: "more than \(depth) nested calls") }
    depth += 1
    defer { depth -= 1 }
    return try body()
  }

  func keep(_ object: RuntimeObject) throws(TemplateError) {
    try charge(64)
    kept.append(object)
  }

  func clear() {
    for object in kept { object.clear() }
    kept = []
    variables.clear()
  }

  // MARK: New values

  func make(_ bytes: [UInt8]) throws(TemplateError) -> Value {
    try charge(bytes.count + 32)
    return .text(bytes)
  }

  func make(_ text: PythonText) throws(TemplateError) -> Value {
    try charge(text.bytes.count + 32)
    return .string(text)
  }

  func list(_ values: [Value]) throws(TemplateError) -> Value { .list(try items(values)) }

  func tuple(_ values: [Value]) throws(TemplateError) -> Value { .tuple(try items(values)) }

  func items(_ values: [Value]) throws(TemplateError) -> Items {
    try charge(values.count * 24 + 48)
    let items = Items(values)
    try requireDepth(items.depth)
    return items
  }

  func dict(_ members: [(key: Value, value: Value)]) throws(TemplateError) -> Dict {
    try charge(members.count * 128 + 64)
    for (key, _) in members { try requireHash(key) }
    let dict = Dict(members)
    try requireDepth(dict.depth)
    return dict
  }

  func requireDepth(_ depth: Int) throws(TemplateError) {
    if depth > Limits.depth { throw .limit(reason: "more than \(Limits.depth) levels of nested values") }
  }

  // MARK: Output

  func write(_ text: PythonText) throws(TemplateError) {
    guard output.count + text.bytes.count <= surroundings.limits.output else {
      throw .limit(reason: "more than \(surroundings.limits.output) bytes of text")
    }
    try charge(reading: text.bytes.count)
    output += text.bytes
  }

  /// Captures the text that `body` writes.
  func caught(
    _ body: () throws(TemplateError) -> Flow
  ) throws(TemplateError) -> (text: PythonText, flow: Flow) {
    outer.append(output)
    output = []
    let flow = try body()
    let text = PythonText(bytes: output)
    output = outer.removeLast()
    try charge(text.bytes.count + 32)
    return (text, flow)
  }

  /// The range that transformers marks: it ends with the output so far, and has the length of the block's text.
  func mark(generation text: PythonText) {
    generations.append(((outer.first ?? output).count, text))
  }

  // MARK: Variables

  func enter(_ scope: Int) {
    for load in scopes.scopes[scope].enter {
      switch load {
      case .alias(let index, let place): variables.values[index] = variables[place]
      case .resolve(let index, let name): variables.values[index] = global(name)
      case .undefined(let index): variables.values[index] = nil
      }
    }
  }

  func leave(_ scope: Int) {
    for index in scopes.scopes[scope].leave { variables.values[index] = nil }
  }

  private func global(_ name: PythonText) -> Value? {
    // Of equal names the last counts.
    for (given, value) in context.reversed() where given == name { return value }
    return builtins.functions[name].map { .object($0) }
  }

  func load(_ name: Name) -> Value {
    variables[scopes.places[name.id]!] ?? .undefined(.name(PythonText(name.text)))
  }

  func store(_ value: Value?, _ name: Name) { variables[scopes.places[name.id]!] = value }
}

/// The local variables of a template function: the whole template, a macro, or a recursive loop.
final class Variables: RuntimeObject, @unchecked Sendable {
  var values: [Value?]
  private var around: Variables?

  init(count: Int, around: Variables?) {
    values = Array(repeating: nil, count: count)
    self.around = around
  }

  subscript(place: Place) -> Value? {
    get { function(place.hops).values[place.index] }
    set { function(place.hops).values[place.index] = newValue }
  }

  private func function(_ hops: Int) -> Variables {
    var function = self
    for _ in 0..<hops { function = function.around! }
    return function
  }

  override func clear() { values = [] }
}

/// Control flow after a statement.
enum Flow { case next, breakLoop, continueLoop }
