// Upper, lower and title case as in Python: Unicode's full, language-independent mappings.

extension PythonText {
  func uppercased() throws(TemplateError) -> PythonText {
    if isASCII { return PythonText(bytes: bytes.map { (0x61...0x7A).contains($0) ? $0 - 32 : $0 }) }
    return try mapped { (scalar, _, _) in scalar.properties.uppercaseMapping }
  }

  func lowercased() throws(TemplateError) -> PythonText {
    if isASCII { return PythonText(bytes: bytes.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }) }
    return try mapped { (_, scalars, i) in Self.lowercase(scalars, i) }
  }

  /// Each run of letters, with its first in title case.
  func titlecased() throws(TemplateError) -> PythonText {
    var isInWord = false
    return try mapped { (scalar, scalars, i) in
      defer { isInWord = scalar.properties.isCased }
      return isInWord ? Self.lowercase(scalars, i) : scalar.properties.titlecaseMapping
    }
  }

  /// The first code point in title case, the others in lower case.
  func capitalized() throws(TemplateError) -> PythonText {
    try mapped { (scalar, scalars, i) in
      i == 0 ? scalar.properties.titlecaseMapping : Self.lowercase(scalars, i)
    }
  }

  private func mapped(_ map: (Unicode.Scalar, [Unicode.Scalar], Int) -> String) throws(TemplateError) -> PythonText {
    let scalars = scalars
    var result: [UInt8] = []
    for (i, scalar) in scalars.enumerated() {
      let mapped = map(scalar, scalars, i)
      if scalar.value >= 0x80 { try scalar.requireKnown() }
      result += Array(mapped.utf8)
    }
    return PythonText(bytes: result)
  }

  /// A capital sigma at a word's end has its own lower case form.
  private static func lowercase(_ scalars: [Unicode.Scalar], _ i: Int) -> String {
    guard scalars[i] == "\u{3A3}" else { return scalars[i].properties.lowercaseMapping }
    let before = scalars[..<i].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(i + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && after?.properties.isCased != true ? "\u{3C2}" : "\u{3C3}"
  }

  func isLowercase() throws(TemplateError) -> Bool {
    var found = false
    for scalar in scalars {
      try scalar.requireKnown()
      if scalar.properties.isUppercase || scalar.isTitlecase { return false }
      if scalar.properties.isLowercase { found = true }
    }
    return found
  }

  func isUppercase() throws(TemplateError) -> Bool {
    var found = false
    for scalar in scalars {
      try scalar.requireKnown()
      if scalar.properties.isLowercase || scalar.isTitlecase { return false }
      if scalar.properties.isUppercase { found = true }
    }
    return found
  }

  func isTitlecase() throws(TemplateError) -> Bool {
    var found = false
    var isInWord = false
    for scalar in scalars {
      try scalar.requireKnown()
      if scalar.properties.isUppercase || scalar.isTitlecase {
        if isInWord { return false }
        isInWord = true
        found = true
      } else if scalar.properties.isLowercase {
        if !isInWord { return false }
        found = true
      } else {
        isInWord = false
      }
    }
    return found
  }
}

extension Unicode.Scalar {
  fileprivate var isTitlecase: Bool { properties.generalCategory == .titlecaseLetter }

  /// Python's `str.isalpha`.
  var isPythonLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }
}
