/// How transformers 5 converts the tensors of one model family, from the hub's layout to its own (the *runtime* layout,
/// which `save_pretrained(save_original_format=False)` and distributed checkpoints have).
///
/// The rules are data (`Known/`). Both directions follow from one rule.
package struct ConversionFamily: Hashable, Sendable {
  /// transformers' names: model types, or classes.
  package let names: [String]
  let renames: [ConversionRename]
  let converters: [TensorConverter]

  package var name: String { names[0] }

  /// In the order of the table.
  package static let known: [ConversionFamily] = [rows1, rows2, rows3, rows4].flatMap(parsed)

  /// Rows of names, which end in a colon, and rules below them, indented and separated by `;`.
  static func parsed(_ rows: String) -> [ConversionFamily] {
    var families: [ConversionFamily] = []
    var (heads, rules) = ("", "")
    func finish() {
      guard !heads.isEmpty else { return }
      families.append(ConversionFamily(heads, rules))
    }
    for line in rows.split(separator: "\n") {
      if line.first == " " {
        rules += line
      } else {
        if !rules.isEmpty {
          finish()
          (heads, rules) = ("", "")
        }
        heads += line
      }
    }
    finish()
    return families
  }

  private init(_ heads: String, _ rules: String) {
    names = heads.split { ", :".contains($0) }.map(String.init)
    let all = rules.split(separator: ";")
    renames = all.filter { !$0.contains(":") }.map { ConversionRename($0) }
    converters = all.filter { $0.contains(":") }.map { TensorConverter($0) }
  }
}

/// One rename of consecutive parts, or several that belong together.
struct ConversionRename: Hashable, Sendable {
  struct Pair: Hashable, Sendable {
    let hub: PartPattern
    let runtime: String
  }

  /// The renames apply together if the first one occurs: its name does not exist in the runtime layout, those of the
  /// others may.
  let pairs: [Pair]

  /// - Parameter rule: `block_sparse_moe > mlp`; several separated by `&`.
  init(_ rule: Substring) {
    pairs = rule.split(separator: "&").map { pair in
      let sides = pair.split(separator: ">", omittingEmptySubsequences: false)
      return Pair(hub: PartPattern(sides[0].trimmingSpaces), runtime: String(sides[1].trimmingSpaces))
    }
  }

  func renamed(_ name: [Substring]) -> [Substring]? {
    for pair in pairs {
      guard let found = pair.hub.occurrence(in: name) else { continue }
      return name[..<found.range.lowerBound] + PartPattern.filled(pair.runtime, with: found.numbers)
        + name[found.range.upperBound...]
    }
    return nil
  }
}

/// Tensors of the hub's layout that become other tensors.
struct TensorConverter: Hashable, Sendable {
  let hub: [PartPattern]
  let runtime: [String]
  let arrangement: TensorArrangement

  /// - Parameter rule: `experts.*.w1.weight + experts.*.w3.weight > experts.gate_up_proj : stack join1`.
  init(_ rule: Substring) {
    let halves = rule.split(separator: ":")
    let sides = halves[0].split(separator: ">")
    hub = sides[0].split(separator: "+").map { PartPattern($0.trimmingSpaces) }
    runtime = sides[1].split(separator: "+").map { String($0.trimmingSpaces) }
    arrangement = TensorArrangement(halves[1].split(separator: " ").map(String.init), runtime: runtime)
  }

  /// Whether a name may be the same in both layouts.
  var keepsName: Bool { hub.count == 1 && runtime == [hub[0].text] }
}

extension StringProtocol {
  fileprivate var trimmingSpaces: SubSequence {
    guard let first = firstIndex(where: { $0 != " " }), let last = lastIndex(where: { $0 != " " }) else {
      return self[startIndex..<startIndex]
    }
    return self[first...last]
  }
}
