extension Unicode.Scalar {
  /// Refuses what is no character in Unicode 14 (Python 3.11) but may be one in a later version.
  func requireKnown() throws(TemplateError) {
    guard let age = properties.age, age.major > 14 else { return }
    throw .refusal("characters that are newer than Unicode 14, such as U+\(String(value, radix: 16, uppercase: true))")
  }
}
