/// A value in a template: Python's values, as far as templates use them. Immutable, except for the contents of a
/// namespace or a loop (`RuntimeObject`).
package enum Value: Sendable {
  /// A missing name, member or item.
  case undefined(Absence)
  case none
  case bool(Bool)
  case int(Int)
  /// Always finite.
  case float(Double)
  case string(PythonText)
  case list(Items)
  case tuple(Items)
  case dict(Dict)
  /// Exists only while a template is rendered: functions, macros, namespaces, loops, iterators.
  case object(RuntimeObject)

  package init(_ string: String) { self = .string(PythonText(string)) }

  static func text(_ bytes: [UInt8]) -> Value { .string(PythonText(bytes: bytes)) }
}

/// Why a value is undefined.
package enum Absence: Sendable {
  case name(PythonText)
  case member(PythonText)
  case because(String)

  var reason: String {
    switch self {
    case .name(let name): "'\(name)' is undefined"
    case .member(let name): "there is no member '\(name)'"
    case .because(let reason): reason
    }
  }
}

/// The elements of a list or tuple, with their nesting depth, since traversal is recursive, and their total size, since
/// the same list may occur in them many times.
package struct Items: Sendable {
  let values: [Value]
  let depth: Int
  let size: Int

  init(_ values: [Value]) {
    self.values = values
    depth = values.reduce(0) { max($0, $1.depth) } + 1
    size = values.reduce(48) { $0.addingOrMost($1.size) }
  }

  var count: Int { values.count }
}

extension Value {
  /// Nesting depth of its parts; 0 for a plain value.
  var depth: Int {
    switch self {
    case .list(let items), .tuple(let items): items.depth
    case .dict(let dict): dict.depth
    case .object(let object): object.depth
    default: 0
    }
  }

  /// Approximate number of bytes of its text, with all parts.
  var size: Int {
    switch self {
    case .string(let text): text.bytes.count + 48
    case .list(let items), .tuple(let items): items.size
    case .dict(let dict): dict.size
    default: 16
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }

  /// An integer, or a boolean as the integer that Python uses.
  var integer: Int? {
    switch self {
    case .int(let n): n
    case .bool(let b): b ? 1 : 0
    default: nil
    }
  }

  var text: PythonText? { if case .string(let text) = self { text } else { nil } }

  /// Python's name of the type.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .int: "int"
    case .float: "float"
    case .string: "str"
    case .list: "list"
    case .tuple: "tuple"
    case .dict: "dict"
    case .object(let object): object.typeName
    }
  }

  /// Python's `bool(value)`.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let b): b
    case .int(let n): n != 0
    case .float(let x): x != 0
    case .string(let text): !text.isEmpty
    case .list(let items), .tuple(let items): items.count > 0
    case .dict(let dict): dict.count > 0
    case .object(let object):
      switch object {
      case let view as DictView: view.dict.count > 0
      case let range as RangeObject: range.count > 0
      default: true
      }
    }
  }
}

extension Int {
  /// The sum, or the largest integer on overflow.
  func addingOrMost(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
