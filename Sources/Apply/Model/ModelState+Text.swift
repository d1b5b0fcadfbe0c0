import PatchFormat

extension ModelState.Entry {
  /// A line for a person.
  public var text: String {
    if let stack {
      return "stack \(stack.name ?? stack.definition.identity.short) (\(stack.definition.method.text))"
    }
    let recipe = details.first { $0.key == "recipe" }?.value.string
    return [name ?? identity.short, recipe].compactMap { $0 }.joined(separator: "  ")
  }
}

extension StackRecord {
  /// A line a member.
  public var memberLines: [String] {
    zip(definition.members, members).map { member, details in
      let name = details.first { $0.key == "name" }?.value.string ?? member.identity.short
      let recipe = details.first { $0.key == "recipe" }?.value.string
      return [MemberReference(name: name, scale: member.scale).text, recipe].compactMap { $0 }.joined(separator: "  ")
    }
  }
}
