/// Values computed on demand, and only once: a Python generator.
final class Iterator: RuntimeObject, @unchecked Sendable {
  typealias Next = () throws(TemplateError) -> Value?
  private var body: Next?
  private let sourceDepth: Int

  init(depth: Int, _ next: @escaping Next) {
    sourceDepth = depth
    body = next
  }

  override var typeName: String { "generator" }
  override var depth: Int { sourceDepth }
  override func clear() { body = nil }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    name.hasPrefix("gi_") || ["close", "send", "throw"].contains(name) ? try super.attribute(name, machine) : nil
  }

  func next(_ machine: Machine) throws(TemplateError) -> Value? {
    guard let body else { return nil }
    do throws(TemplateError) {
      if let value = try machine.nested(body) { return value }
    } catch {
      self.body = nil
      throw error
    }
    self.body = nil
    return nil
  }
}

/// `range(…)`
final class RangeObject: RuntimeObject, @unchecked Sendable {
  let start, stop, step: Int
  let count: Int

  /// - Throws: for more numbers than Jinja2's sandbox allows.
  init(start: Int, stop: Int, step: Int) throws(TemplateError) {
    guard step != 0 else { throw .failure("a range whose step is 0") }
    (self.start, self.stop, self.step) = (start, stop, step)
    let (span, overflow) =
      step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
    guard !overflow, step != .min else { throw .failure("a range of more than 100000 numbers") }
    let size = Swift.abs(step)
    count = span <= 0 ? 0 : (span - 1) / size + 1
    guard count <= 100_000 else { throw .failure("a range of more than 100000 numbers") }
  }

  override var typeName: String { "range" }

  func number(_ i: Int) -> Int { start + i * step }
  var numbers: [Value] { (0..<count).map { .int(number($0)) } }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    switch name {
    case "start": .int(start)
    case "stop": .int(stop)
    case "step": .int(step)
    case "count", "index": try super.attribute(name, machine)
    default: nil
    }
  }
}

/// `dict.keys()`, `dict.values()`, `dict.items()`
final class DictView: RuntimeObject, @unchecked Sendable {
  enum Kind: String { case keys, values, items }
  let dict: Dict
  let kind: Kind

  init(_ dict: Dict, _ kind: Kind) {
    self.dict = dict
    self.kind = kind
  }

  override var typeName: String { "dict_\(kind.rawValue)" }
  override var depth: Int { dict.depth + 2 }

  var values: [Value] {
    switch kind {
    case .keys: dict.keys
    case .values: dict.values
    case .items: dict.items
    }
  }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    ["mapping", "isdisjoint"].contains(name) ? try super.attribute(name, machine) : nil
  }
}

/// State of an iteration.
struct Cursor {
  private enum Source {
    case values([Value])
    case iterator(Iterator)
  }

  private let source: Source
  private var position = 0

  init(_ values: [Value]) { source = .values(values) }
  init(_ iterator: Iterator) { source = .iterator(iterator) }

  /// Number of values, if Python's `len` supports it.
  var count: Int? { if case .values(let values) = source { values.count } else { nil } }

  mutating func next(_ machine: Machine) throws(TemplateError) -> Value? {
    switch source {
    case .values(let values):
      guard position < values.count else { return nil }
      position += 1
      return values[position - 1]
    case .iterator(let iterator): return try iterator.next(machine)
    }
  }
}

extension Machine {
  /// Python's `iter(value)`.
  func cursor(_ value: Value) throws(TemplateError) -> Cursor {
    if case .object(let iterator as Iterator) = value { return Cursor(iterator) }
    guard let values = try elements(value) else { throw .failure("a \(value.typeName) cannot be iterated over") }
    return Cursor(values)
  }

  /// The elements of a sequence with a length; nil for a value that cannot be iterated over, or only once.
  func elements(_ value: Value) throws(TemplateError) -> [Value]? {
    switch value {
    case .undefined: return []
    case .list(let items), .tuple(let items): return items.values
    case .dict(let dict): return dict.keys
    case .string(let text):
      try charge(text.bytes.count * 64)
      return text.characters.map { .string($0) }
    case .object(let range as RangeObject):
      try charge(range.count * 24)
      return range.numbers
    case .object(let view as DictView):
      try charge(view.dict.count * 100)
      return view.values
    case .object(is LoopObject): throw .refusal("iterating over 'loop'")
    default: return nil
    }
  }

  /// Python's `list(value)`.
  func all(_ value: Value) throws(TemplateError) -> [Value] {
    if let values = try elements(value) { return values }
    var cursor = try cursor(value)
    var values: [Value] = []
    while let next = try cursor.next(self) {
      try charge(32)
      values.append(next)
    }
    return values
  }

  /// An iterator that computes values from those of another.
  func iterator(
    over value: Value, _ next: @escaping (inout Cursor) throws(TemplateError) -> Value?
  ) throws(TemplateError) -> Value {
    let depth = value.depth + 1
    try requireDepth(depth)
    var source: Cursor?
    let iterator = Iterator(depth: depth) { [unowned self] () throws(TemplateError) in
      if source == nil { source = try cursor(value) }
      return try next(&source!)
    }
    try keep(iterator)
    return .object(iterator)
  }
}
