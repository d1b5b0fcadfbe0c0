import PatchFormat

extension StackDefinition {
  /// The advice for a stack whose result equals its base: all settings that certainly cause that, else all that may.
  var remedyOfNothing: String {
    var certain: [String] = []
    if members.allSatisfy({ $0.scale == 0 }) { certain.append("a member with a scale other than 0") }
    if method.towardBase == 1 { certain.append("a --toward-base below 1") }
    if method.lambda == 0 { certain.append("a --lambda other than 0") }
    guard certain.isEmpty else { return "give it \(certain.joined(separator: ", and "))" }
    var possible = ["other scales"]
    if method.towardBase > 0 { possible.append("a smaller --toward-base") }
    if method.density ?? 1 < 1 { possible.append("a larger --density") }
    return "its members' changes cancel out, or are too small to move a weight: give it "
      + possible.joined(separator: ", or ")
  }
}
