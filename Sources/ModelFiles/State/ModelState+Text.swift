extension ModelState.Entry {
  /// Its name in a sentence.
  package var title: String {
    guard let stack else { return name ?? identity.short }
    return "stack \(stack.name ?? stack.definition.identity.short) (\(stack.definition.method.text))"
  }

  /// One line for display.
  package var text: String {
    let recipe = stack == nil ? details.first { $0.key == "recipe" }?.value.string : nil
    return [title, recipe].compactMap { $0 }.joined(separator: "  ")
  }
}
