/// `loop`: the state of a loop, as in `jinja2.runtime.LoopContext`.
final class LoopObject: RuntimeObject, @unchecked Sendable {
  private var cursor: Cursor
  private let iteratedDepth: Int
  private let outerLoops: Int
  private var recursion: Recursion?

  private var index0 = -1
  private var length: Int?
  /// The next value, if it was requested.
  private var peeked: Value?
  private var before: Value?
  private var current: Value?
  private var changed: [Value]?

  init(_ cursor: Cursor, _ iteratedDepth: Int, _ outerLoops: Int, _ recursion: Recursion?) {
    self.cursor = cursor
    self.iteratedDepth = iteratedDepth
    self.outerLoops = outerLoops
    self.recursion = recursion
    length = cursor.count
  }

  override var typeName: String { "LoopContext" }
  override var depth: Int { iteratedDepth + 1 }
  override var isCallable: Bool { true }

  override func clear() {
    cursor = Cursor([])
    (recursion, peeked, before, current, changed) = (nil, nil, nil, nil, nil)
  }

  func next(_ machine: Machine) throws(TemplateError) -> Value? {
    let value: Value?
    if let peeked { value = peeked } else { value = try cursor.next(machine) }
    peeked = nil
    guard let value else { return nil }
    index0 += 1
    before = current
    current = value
    return value
  }

  private func peek(_ machine: Machine) throws(TemplateError) -> Value? {
    if peeked == nil { peeked = try cursor.next(machine) }
    return peeked
  }

  private func count(_ machine: Machine) throws(TemplateError) -> Int {
    if let length { return length }
    var rest: [Value] = []
    while let value = try cursor.next(machine) {
      try machine.charge(32)
      rest.append(value)
    }
    cursor = Cursor(rest)
    length = rest.count + index0 + 1 + (peeked == nil ? 0 : 1)
    return length!
  }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    switch name {
    case "index": return .int(index0 + 1)
    case "index0": return .int(index0)
    case "first": return .bool(index0 == 0)
    case "last": return .bool(try peek(machine) == nil)
    case "length": return .int(try count(machine))
    case "revindex": return .int(try count(machine) - index0)
    case "revindex0": return .int(try count(machine) - index0 - 1)
    case "depth": return .int(outerLoops + 1)
    case "depth0": return .int(outerLoops)
    case "previtem":
      return index0 == 0 ? .undefined(.because("there is no previous item")) : before
    case "nextitem":
      return try peek(machine) ?? .undefined(.because("there is no next item"))
    case "cycle":
      return .object(
        Function("cycle", depth: depth) { [self] (_, arguments) throws(TemplateError) in
          guard arguments.named.isEmpty, !arguments.positional.isEmpty else {
            throw .failure("'cycle' needs positional arguments")
          }
          let count = arguments.positional.count
          return arguments.positional[((index0 % count) + count) % count]
        })
    case "changed":
      return .object(
        Function("changed", depth: depth) { [self] (machine, arguments) throws(TemplateError) in
          guard arguments.named.isEmpty else { throw .failure("'changed' takes positional arguments") }
          let values = try machine.items(arguments.positional).values
          if let changed, changed.count == values.count, zip(changed, values).allSatisfy({ $0.isSame(as: $1) }) {
            return .bool(false)
          }
          changed = values
          return .bool(true)
        })
    default: return name.hasPrefix("_") ? try super.attribute(name, machine) : nil
    }
  }

  /// Renders a recursive loop's body for other values.
  override func call(_ machine: Machine, _ arguments: Arguments) throws(TemplateError) -> Value {
    let iterated = try arguments.bind("loop", ["iterable"], required: 1)[0]!
    guard let recursion else { throw .failure("the loop is not 'recursive'") }
    return .string(try recursion.render(machine, over: iterated, depth: outerLoops + 1))
  }
}
