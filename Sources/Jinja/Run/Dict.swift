/// Python's dict: members in order of insertion, with keys of any hashable type.
package struct Dict: Sendable {
  private final class Storage: Sendable {
    let keys: [Value]
    let values: [Value]
    let depth: Int
    let size: Int
    /// Index of keys; only for dicts that are too large for a linear search.
    let places: [Key: Int]?

    init(keys: [Value], values: [Value], places: [Key: Int]?) {
      self.keys = keys
      self.values = values
      depth = max(keys.reduce(0) { max($0, $1.depth) }, values.reduce(0) { max($0, $1.depth) }) + 1
      size = zip(keys, values).reduce(96) { $0.addingOrMost($1.0.size).addingOrMost($1.1.size) }
      self.places = places
    }
  }

  private let storage: Storage

  /// - Parameter members: with hashable keys (`Machine.requireHash`). A repeated key has its first position and its
  ///   last value.
  init(_ members: [(key: Value, value: Value)]) {
    var keys: [Value] = []
    var values: [Value] = []
    keys.reserveCapacity(members.count)
    values.reserveCapacity(members.count)
    var places: [Key: Int] = [:]
    let indexed = members.count > 8
    for (key, value) in members {
      let old = indexed ? places[Key(key)] : keys.firstIndex { $0.isSame(as: key) }
      if let old {
        values[old] = value
      } else {
        if indexed { places[Key(key)] = keys.count }
        keys.append(key)
        values.append(value)
      }
    }
    storage = Storage(keys: keys, values: values, places: indexed ? places : nil)
  }

  var keys: [Value] { storage.keys }
  var values: [Value] { storage.values }
  var depth: Int { storage.depth }
  var size: Int { storage.size }
  var count: Int { storage.keys.count }
  var members: [(key: Value, value: Value)] { zip(keys, values).map { ($0, $1) } }
  /// Each key and value as a tuple.
  var items: [Value] { zip(keys, values).map { .tuple(Items([$0, $1])) } }

  subscript(key: Value) -> Value? {
    if case .string(let text) = key { return self[text] }
    if let places = storage.places { return places[Key(key)].map { values[$0] } }
    return keys.firstIndex { $0.isSame(as: key) }.map { values[$0] }
  }

  subscript(name: PythonText) -> Value? {
    if let places = storage.places { return places[Key(.string(name))].map { values[$0] } }
    for (i, key) in storage.keys.enumerated() {
      if case .string(let text) = key, text == name { return storage.values[i] }
    }
    return nil
  }
}

/// A value as a key: 1, 1.0 and true are the same key.
struct Key: Hashable {
  let value: Value
  init(_ value: Value) { self.value = value }

  static func == (a: Key, b: Key) -> Bool { a.value.isSame(as: b.value) }

  func hash(into hasher: inout Hasher) {
    switch value {
    case .bool(let b): hasher.combine(Double(b ? 1 : 0))
    case .int(let n): hasher.combine(Double(n))
    case .float(let x): hasher.combine(x)
    case .string(let text): hasher.combine(text)
    case .tuple(let items): for item in items.values { Key(item).hash(into: &hasher) }
    case .none: hasher.combine(0)
    case .undefined: hasher.combine(1)
    default: hasher.combine(2)
    }
  }
}

extension Machine {
  /// Throws for values that Python cannot use as a key.
  func requireHash(_ value: Value) throws(TemplateError) {
    switch value {
    case .list, .dict: throw .failure("a \(value.typeName) cannot be a key")
    case .string(let text): try charge(reading: text.bytes.count)
    case .tuple(let items):
      try charge(reading: items.size)
      for item in items.values { try requireHash(item) }
    case .object(let object): throw .refusal("a \(object.typeName) as a key")
    default: return
    }
  }
}
