extension ModelState.Entry {
  /// What it is called, in a sentence.
  package var title: String {
    guard let stack else { return name ?? identity.short }
    return "stack \(stack.name ?? stack.definition.identity.short) (\(stack.definition.method.text))"
  }

  /// A line for a person.
  package var text: String {
    let recipe = stack == nil ? details.first { $0.key == "recipe" }?.value.string : nil
    return [title, recipe].compactMap { $0 }.joined(separator: "  ")
  }
}
