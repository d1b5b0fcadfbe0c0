// Python's `format.format(…)`: replacement fields without a format specification.

extension Machine {
  func format(_ format: PythonText, _ arguments: Arguments) throws(TemplateError) -> Value {
    try charge(format.bytes.count * 5)
    let scalars = format.scalars
    var out: PythonText = ""
    var position = 0
    /// Number of fields without name or index.
    var counted = 0
    var isNumbered = false
    while position < scalars.count {
      let scalar = scalars[position]
      let isDouble = position + 1 < scalars.count && scalars[position + 1] == scalar
      position += 1
      guard scalar == "{" || scalar == "}" else {
        out.append(scalar)
        continue
      }
      if isDouble {
        out.append(scalar)
        position += 1
        continue
      }
      guard scalar == "{", let end = scalars[position...].firstIndex(of: "}") else {
        throw .failure("a single brace in a format")
      }
      var name = Array(scalars[position..<end])
      position = end + 1
      if name.contains("{") { throw .refusal("a nested format") }
      if name.contains(":") { throw .refusal("a format specification in 'format'") }
      var isRepresentation = false
      if let mark = name.firstIndex(of: "!") {
        guard name[mark...].elementsEqual("!r".unicodeScalars) || name[mark...].elementsEqual("!s".unicodeScalars)
        else {
          throw .refusal("a conversion in 'format'")
        }
        isRepresentation = name.last == "r"
        name = Array(name[..<mark])
      }
      if name.contains(where: { ".[".unicodeScalars.contains($0) }) { throw .refusal("a field lookup in 'format'") }
      let text = PythonText(name).description
      let value: Value
      if name.isEmpty || name.allSatisfy(\.isDigit) {
        guard isNumbered == !name.isEmpty || counted == 0 && !isNumbered else {
          throw .failure("fields both with and without numbers in a format")
        }
        isNumbered = !name.isEmpty
        guard let index = name.isEmpty ? counted : Int(text), index < arguments.positional.count else {
          throw .failure("fewer values than the format has fields")
        }
        if name.isEmpty { counted += 1 }
        value = arguments.positional[index]
      } else {
        guard let found = arguments.named.first(where: { $0.name == PythonText(name) }) else {
          throw .failure("no value '\(text)'")
        }
        value = found.value
      }
      // Python formats undefined values only with an empty specification, as all of these are.
      let written = isRepresentation ? try representation(value) : try string(value)
      try charge(written.bytes.count)
      out.append(written)
    }
    return try make(out)
  }
}
