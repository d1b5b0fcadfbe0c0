extension Value {
  /// Python's `a == b`, for values that compare by content. Objects are equal only to themselves.
  func isSame(as other: Value) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): true
    case (.string(let a), .string(let b)): a == b
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      a.count == b.count && zip(a.values, b.values).allSatisfy { $0.isSame(as: $1) }
    case (.dict(let a), .dict(let b)):
      a.count == b.count && zip(a.keys, a.values).allSatisfy { key, value in b[key]?.isSame(as: value) ?? false }
    case (.object(let a), .object(let b)):
      if let a = a as? RangeObject, let b = b as? RangeObject {
        a.count == b.count && (a.count == 0 || a.start == b.start && (a.count == 1 || a.step == b.step))
      } else {
        a === b
      }
    default: order(self, other) == .same
    }
  }
}

private enum Order { case less, same, greater }

/// Order of two numbers; nil for other values.
private func order(_ a: Value, _ b: Value) -> Order? {
  func of<T: Comparable>(_ a: T, _ b: T) -> Order { a < b ? .less : a == b ? .same : .greater }
  func mixed(_ a: Int, _ b: Double) -> Order {
    // A fractional double is smaller than 2⁵³, and so are the neighbouring integers.
    if let exact = Int(exactly: b) { of(a, exact) } else { of(Double(a), b) }
  }
  switch (a, b) {
  case (.float(let x), .float(let y)): return of(x, y)
  case (.float(let x), _):
    guard let n = b.integer else { return nil }
    switch mixed(n, x) {
    case .less: return .greater
    case .same: return .same
    case .greater: return .less
    }
  case (_, .float(let y)): return a.integer.map { mixed($0, y) }
  default:
    guard let n = a.integer, let m = b.integer else { return nil }
    return of(n, m)
  }
}

extension Machine {
  func compare(_ comparison: Comparison, _ a: Value, _ b: Value) throws(TemplateError) -> Bool {
    switch comparison {
    case .equal: try equal(a, b)
    case .notEqual: !(try equal(a, b))
    case .less: try isLess(a, b)
    case .greater: try isLess(b, a)
    case .lessOrEqual: try isLess(a, b, orEqual: true)
    case .greaterOrEqual: try isLess(b, a, orEqual: true)
    case .isIn: try contains(b, a)
    case .isNotIn: !(try contains(b, a))
    }
  }

  func equal(_ a: Value, _ b: Value) throws(TemplateError) -> Bool {
    switch (a, b) {
    case (.string(let a), .string): try charge(reading: a.bytes.count)
    case (.list, .list), (.tuple, .tuple), (.dict, .dict): try charge(reading: min(a.size, b.size))
    case (.object(let a as DictView), .object(let b as DictView)) where a !== b:
      throw .refusal("comparing views of dicts")
    default: break
    }
    return a.isSame(as: b)
  }

  /// Python's `a < b`, or `a <= b`.
  func isLess(_ a: Value, _ b: Value, orEqual: Bool = false) throws(TemplateError) -> Bool {
    switch (a, b) {
    case (.undefined(let absence), _), (_, .undefined(let absence)): throw .failure(absence.reason)
    case (.string(let a), .string(let b)):
      try charge(reading: min(a.bytes.count, b.bytes.count))
      return orEqual ? a <= b : a < b
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      for (x, y) in zip(a.values, b.values) where !(try equal(x, y)) {
        try step()
        return try isLess(x, y, orEqual: orEqual)
      }
      return orEqual ? a.count <= b.count : a.count < b.count
    case (.object(is DictView), _), (_, .object(is DictView)): throw .refusal("comparing views of dicts")
    default:
      guard let order = order(a, b) else {
        throw .failure("a \(a.typeName) and a \(b.typeName) have no order")
      }
      return order == .less || orEqual && order == .same
    }
  }

  /// Python's `value in container`.
  func contains(_ container: Value, _ value: Value) throws(TemplateError) -> Bool {
    switch container {
    case .string(let text):
      guard let sought = value.text else { throw .failure("'in' a string needs a string, not a \(value.typeName)") }
      try charge(reading: text.bytes.count)
      return text.firstByte(of: sought) != nil
    case .dict(let dict):
      try requireHash(value)
      return dict[value] != nil
    case .object(let view as DictView) where view.kind == .keys:
      try requireHash(value)
      return view.dict[value] != nil
    default:
      var cursor = try cursor(container)
      while let element = try cursor.next(self) {
        try step()
        if try equal(element, value) { return true }
      }
      return false
    }
  }

  /// A stable sort in ascending order.
  func sorted(
    _ values: [(key: Value, value: Value)], descending: Bool = false
  ) throws(TemplateError) -> [Value] {
    // Python reverses the values before and after, which keeps the order of equal ones.
    var items = descending ? values.reversed() : values
    var width = 1
    while width < items.count {
      var merged: [(key: Value, value: Value)] = []
      merged.reserveCapacity(items.count)
      try charge(items.count * 40)
      for start in stride(from: 0, to: items.count, by: 2 * width) {
        let middle = min(start + width, items.count)
        let end = min(start + 2 * width, items.count)
        var (i, j) = (start, middle)
        while i < middle || j < end {
          try step()
          if i < middle, j < end {
            if try isLess(items[j].key, items[i].key) {
              merged.append(items[j])
              j += 1
            } else {
              merged.append(items[i])
              i += 1
            }
          } else if i < middle {
            merged.append(items[i])
            i += 1
          } else {
            merged.append(items[j])
            j += 1
          }
        }
      }
      items = merged
      width *= 2
    }
    let result = items.map(\.value)
    return descending ? result.reversed() : result
  }
}
