/// The naming scheme of one kind of checkpoint: rules that map the tensor names of a model family to components.
///
/// A layout is recognised from tensor names alone. Use the *base's* names: tensors that a tuned file adds must not
/// change how the others are read.
package struct ModelLayout: Hashable, Sendable {
  /// `llama`, `qwen2.5-vl (hub)`, `llava (transformers ≥ 4.52)`, …, or `generic`.
  package let name: String
  /// The layout applies only if one of these prefixes occurs; with no marks it always may.
  package let marks: [NamePath]
  /// In order. The first rule that matches a name determines its component.
  package let rules: [Rule]

  package init(_ name: String, marks: [String] = [], _ rules: [Rule]) {
    self.name = name
    self.marks = marks.map { NamePath($0) }
    self.rules = rules
  }

  /// The layout of a list of names: the first known one whose marks occur and whose rules place at least one tensor in
  /// a decoder layer of the language model; else `generic`. The order of the names does not matter.
  package static func recognise(names: some Sequence<String>) -> ModelLayout {
    // One pass that stores no names: a header may list a million of them.
    var hasLayer = known.map { _ in false }
    var hasMark = known.map(\.marks.isEmpty)
    for path in names.lazy.compactMap(NamePath.init(checked:)) {
      for (i, layout) in known.enumerated() {
        if !hasLayer[i] { hasLayer[i] = layout.place(path)?.region == .decoderLayer }
        if !hasMark[i] { hasMark[i] = layout.marks.contains { path.parts.starts(with: $0.parts) } }
      }
    }
    return known.indices.first { hasLayer[$0] && hasMark[$0] }.map { known[$0] } ?? generic
  }

  /// The tensor's component; `.other` if no rule matches.
  package func component(of tensor: String) -> Component {
    guard let path = NamePath(checked: tensor) else {
      return Component(region: .other, name: tensor, parameter: "")
    }
    return place(path) ?? path.unplaced
  }

  /// The layout-independent name: the same for the same tensor in every layout of a family. A tensor that no rule
  /// matches keeps its own name.
  package func canonicalName(of tensor: String) -> String {
    component(of: tensor).canonicalName ?? tensor
  }

  private func place(_ path: NamePath) -> Component? {
    for rule in rules {
      if let component = rule.read(path) { return component }
    }
    return nil
  }
}
