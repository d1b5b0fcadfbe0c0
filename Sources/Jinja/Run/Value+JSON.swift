import Base

extension Value {
  /// A JSON value as read by Python's `json.loads`: objects become dicts, arrays become lists, numbers with a fraction
  /// or an exponent become floats.
  /// - Throws: `TemplateError.unsupported` for a number out of range, `limit` for nesting that is too deep.
  package init(_ json: JSON) throws(TemplateError) {
    try self.init(json, depth: 0)
  }

  private init(_ json: JSON, depth: Int) throws(TemplateError) {
    guard depth < Limits.depth else { throw .limit(reason: "more than \(Limits.depth) levels of nested values") }
    switch json {
    case .null: self = .none
    case .bool(let b): self = .bool(b)
    case .string(let string): self = .string(PythonText(string))
    case .integer(let n):
      guard let n = Int(exactly: n) else { throw .refusal("the number \(n), which has more than 64 bits") }
      self = .int(n)
    case .number(let text):
      if !text.utf8.contains(where: { ".eE".utf8.contains($0) }) {
        guard let n = Int(text) else { throw .refusal("the number \(text), which has more than 64 bits") }
        self = .int(n)
      } else {
        guard let x = Double(text), x.isFinite else { throw .refusal("the number \(text), which is not finite") }
        self = .float(x)
      }
    case .array(let elements):
      var values: [Value] = []
      values.reserveCapacity(elements.count)
      for element in elements { values.append(try Value(element, depth: depth + 1)) }
      self = .list(Items(values))
    case .object(let members):
      var pairs: [(key: Value, value: Value)] = []
      pairs.reserveCapacity(members.count)
      for member in members {
        pairs.append((.string(PythonText(member.key)), try Value(member.value, depth: depth + 1)))
      }
      self = .dict(Dict(pairs))
    }
  }
}
