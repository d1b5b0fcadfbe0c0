import Base

extension Value {
  /// A JSON value as Python's `json.loads` reads it: objects as dicts, arrays as lists, numbers with a fraction or an
  /// exponent as floats.
  /// - Throws: `TemplateError.unsupported` for a number that does not fit, `limit` for what is nested too deeply.
  package init(_ json: JSON) throws(TemplateError) {
    try self.init(json, depth: 0)
  }

  private init(_ json: JSON, depth: Int) throws(TemplateError) {
    guard depth < Limits.depth else { throw .limit(reason: "values nested more than \(Limits.depth) deep") }
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
