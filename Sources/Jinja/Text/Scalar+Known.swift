extension Unicode.Scalar {
  /// Refuses characters that are unassigned in Unicode 14 (Python 3.11), since they may be assigned in a later version.
  func requireKnown() throws(TemplateError) {
    guard let age = properties.age, age.major > 14 else { return }
    throw .refusal("characters newer than Unicode 14, such as U+\(String(value, radix: 16, uppercase: true))")
  }
}
