// Stripping, splitting, joining, replacing and padding, as Python's string methods do.

extension Machine {
  /// - Parameter characters: none for white space, or a string of the characters to strip.
  func strip(_ text: PythonText, _ characters: Value, start: Bool, end: Bool) throws(TemplateError) -> Value {
    let isStripped: (Unicode.Scalar) -> Bool
    switch characters {
    case .none: isStripped = \.isPythonSpace
    case .string(let characters):
      let set = Set(characters.scalars)
      try charge(characters.bytes.count)
      isStripped = { set.contains($0) }
    default: throw .failure("a \(characters.typeName) instead of the characters to strip")
    }
    try charge(text.bytes.count)
    var rest = Substring(text.description).unicodeScalars
    if start { while let first = rest.first, isStripped(first) { rest.removeFirst() } }
    if end { while let last = rest.last, isStripped(last) { rest.removeLast() } }
    return .text(Array(Substring(rest).utf8))
  }

  func split(_ text: PythonText, _ separator: PythonText, most: Int, fromEnd: Bool) throws(TemplateError) -> Value {
    guard !separator.isEmpty else { throw .failure("a split by an empty string") }
    try charge(text.bytes.count * 2)
    // From the end, everything is reversed.
    let bytes = fromEnd ? text.reversed : text
    let sought = fromEnd ? separator.reversed : separator
    var parts: [Value] = []
    func add(_ part: ArraySlice<UInt8>) throws(TemplateError) {
      try charge(64)
      parts.append(.text(fromEnd ? part.reversed() : Array(part)))
    }
    var start = 0
    while most < 0 || parts.count < most, let found = bytes.firstByte(of: sought, from: start) {
      try add(bytes.bytes[start..<found])
      start = found + sought.bytes.count
    }
    try add(bytes.bytes[start...])
    return try list(fromEnd ? parts.reversed() : parts)
  }

  /// The parts between runs of white space.
  func words(of text: PythonText, most: Int, fromEnd: Bool) throws(TemplateError) -> Value {
    try charge(text.bytes.count * 5)
    let scalars = text.scalars
    var parts: [Value] = []
    func add(_ range: Range<Int>) throws(TemplateError) {
      try charge(64)
      parts.append(.string(PythonText(scalars[range])))
    }
    if fromEnd {
      var end = scalars.count
      while true {
        while end > 0, scalars[end - 1].isPythonSpace { end -= 1 }
        guard end > 0 else { break }
        if most >= 0, parts.count == most {
          try add(0..<end)
          break
        }
        var start = end
        while start > 0, !scalars[start - 1].isPythonSpace { start -= 1 }
        try add(start..<end)
        end = start
      }
      return try list(parts.reversed())
    }
    var start = 0
    while true {
      while start < scalars.count, scalars[start].isPythonSpace { start += 1 }
      guard start < scalars.count else { break }
      if most >= 0, parts.count == most {
        try add(start..<scalars.count)
        break
      }
      var end = start
      while end < scalars.count, !scalars[end].isPythonSpace { end += 1 }
      try add(start..<end)
      start = end
    }
    return try list(parts)
  }

  func lines(of text: PythonText, keepsEnds: Bool) throws(TemplateError) -> Value {
    try charge(text.bytes.count * 5)
    let scalars = text.scalars
    var lines: [Value] = []
    var start = 0
    while start < scalars.count {
      var end = start
      while end < scalars.count, !scalars[end].endsPythonLine { end += 1 }
      var next = min(end + 1, scalars.count)
      if end + 1 < scalars.count, scalars[end] == "\r", scalars[end + 1] == "\n" { next += 1 }
      try charge(64)
      lines.append(.string(PythonText(scalars[start..<(keepsEnds ? next : end)])))
      start = next
    }
    return try list(lines)
  }

  func joined(_ texts: [PythonText], _ separator: PythonText) throws(TemplateError) -> Value {
    let (gaps, overflow) = separator.bytes.count.multipliedReportingOverflow(by: max(texts.count - 1, 0))
    if overflow { throw .limit(reason: "the text is too long") }
    try charge(texts.reduce(gaps) { $0.addingOrMost($1.bytes.count) })
    var bytes: [UInt8] = []
    for (i, text) in texts.enumerated() {
      if i > 0 { bytes += separator.bytes }
      bytes += text.bytes
    }
    return .text(bytes)
  }

  func replace(_ text: PythonText, _ old: PythonText, _ new: PythonText, most: Int) throws(TemplateError) -> Value {
    try charge(text.bytes.count)
    var bytes: [UInt8] = []
    var position = 0
    var count = 0
    func isMore() -> Bool { most < 0 || count < most }
    if old.isEmpty {
      // Before each code point, and at the end.
      while isMore() {
        try charge(new.bytes.count)
        bytes += new.bytes
        count += 1
        guard position < text.bytes.count else { break }
        repeat {
          bytes.append(text.bytes[position])
          position += 1
        } while position < text.bytes.count && text.bytes[position] & 0xC0 == 0x80
      }
    } else {
      while isMore(), let found = text.firstByte(of: old, from: position) {
        try charge(new.bytes.count + 16)
        bytes += text.bytes[position..<found]
        bytes += new.bytes
        position = found + old.bytes.count
        count += 1
      }
    }
    bytes += text.bytes[position...]
    return .text(bytes)
  }

  /// Padding on the left and right of a centred text.
  static let centering: @Sendable (Int, Int) -> (left: Int, right: Int) = { width, missing in
    let left = missing / 2 + (missing & width & 1)
    return (left, missing - left)
  }

  func pad(
    _ text: PythonText, _ width: Int, _ fill: PythonText, _ pad: (Int, Int) -> (left: Int, right: Int)
  ) throws(TemplateError) -> Value {
    try charge(reading: text.bytes.count)
    let count = text.count
    guard width > count else { return .string(text) }
    guard width <= 1 << 24 else { throw .limit(reason: "a text of \(width) characters") }
    try charge(width * fill.bytes.count + text.bytes.count)
    let (left, right) = pad(width, width - count)
    return .text(fill.bytes(times: left) + text.bytes + fill.bytes(times: right))
  }
}
