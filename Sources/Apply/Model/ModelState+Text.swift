import PatchFormat

extension ModelState.Entry {
  /// What it is called, in a sentence.
  public var title: String {
    guard let stack else { return name ?? identity.short }
    return "stack \(stack.name ?? stack.definition.identity.short) (\(stack.definition.method.text))"
  }

  /// A line for a person.
  public var text: String {
    let recipe = stack == nil ? details.first { $0.key == "recipe" }?.value.string : nil
    return [title, recipe].compactMap { $0 }.joined(separator: "  ")
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
