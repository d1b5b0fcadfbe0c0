/// The rules that place the tensors of one model family, as one kind of file names them.
///
/// A layout is chosen from tensor names alone. Choose it from the *base's* names: what a tuned
/// file adds must not decide how the rest is read.
package struct ModelLayout: Hashable, Sendable {
  /// `llama`, `qwen2.5-vl (hub)`, `llava (transformers ≥ 4.52)`, …, or `generic`.
  package let name: String
  /// The layout holds only if one of these begins a tensor's name; with none it needs no mark.
  package let marks: [NamePath]
  /// In order; the first that can read a name places it.
  package let rules: [Rule]

  package init(_ name: String, marks: [String] = [], _ rules: [Rule]) {
    self.name = name
    self.marks = marks.map { NamePath($0) }
    self.rules = rules
  }

  /// The layout that the names speak: the first known one whose marks are there and under whose
  /// rules at least one tensor is in a decoder layer of the language model; else `generic`.
  /// The order of the names does not matter.
  package static func recognise(names: some Sequence<String>) -> ModelLayout {
    // One pass that keeps no names: a header may list a million of them.
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

  /// Where the tensor sits; `.other` for what the rules cannot place.
  package func component(of tensor: String) -> Component {
    guard let path = NamePath(checked: tensor) else {
      return Component(region: .other, name: tensor, parameter: "")
    }
    return place(path) ?? path.unplaced
  }

  /// The layout-independent name: the same for the same tensor in every layout of a family.
  /// A tensor that the rules cannot place keeps its own name.
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
