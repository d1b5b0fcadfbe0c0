/// A tensor's name, split at its dots. Rules compare whole parts, so that `xmodel.layers` never matches `model.layers`.
package struct NamePath: Hashable, Sendable {
  package let parts: [Substring]

  /// Real names have fewer than 200 bytes. The limit bounds the cost of a name with a million dots.
  package static let maximumLength = 1024

  /// For the names in the rules, which are known to be valid; `""` has no parts.
  package init(_ name: String) {
    parts = name.isEmpty ? [] : name.split(separator: ".", omittingEmptySubsequences: false)
  }

  /// For names from a file. Nil for an empty part, more than `maximumLength` bytes, or anything but printable ASCII:
  /// models have no such names, and Swift compares strings up to Unicode equivalence, which is looser than byte
  /// equality.
  package init?(checked name: String) {
    guard 1...Self.maximumLength ~= name.utf8.count,
      name.utf8.allSatisfy({ 0x21...0x7e ~= $0 })
    else { return nil }
    self.init(name)
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
  }

  /// A layer number as frameworks write it: digits, no sign, no leading zero.
  package static func index(_ part: Substring) -> Int? {
    guard part.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), part == "0" || part.first != "0" else {
      return nil
    }
    return Int(part)
  }

  /// The component of a name that no rule matches: its first number is shown as the layer.
  var unplaced: Component {
    guard let at = parts.dropLast().firstIndex(where: { Self.index($0) != nil }) else {
      return Component(.other, parts)
    }
    var shown = parts
    shown[at] = "*"
    return Component(.other, layer: Self.index(parts[at]), shown)
  }
}
