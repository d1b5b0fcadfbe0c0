import Base
import Checkpoints
import PatchFormat

/// The quantised weights among the tensors of several models. Codes and the tensors that dequantise them are one unit;
/// no part is valid with parts of another model (spec/stacks.md, section 4.1).
package struct QuantisedUnits: Sendable {
  package struct Unit: Sendable {
    /// Its name for display: its first codes.
    let codes: String
    /// All of its tensors, in ascending order of the names' bytes.
    package let names: [String]
  }

  package let units: [Unit]
  private let places: [String: Int]

  /// - Parameter sides: the tensors of each model. What is one unit in any of them is one in all.
  init(_ sides: [[TensorInfo]]) {
    var groups = NameGroups()
    var codes: Set<String> = []
    for side in sides {
      let dtypes = Dictionary(side.map { ($0.name.bytesKey, $0.dtype) }, uniquingKeysWith: { first, _ in first })
      for tensor in side {
        for (name, ofAnyDType) in QuantisedNames.codes(ofState: tensor.name) where !name.isSame(as: tensor.name) {
          guard let dtype = dtypes[name.bytesKey], ofAnyDType || !QuantisedNames.numbers.contains(dtype.name) else {
            continue
          }
          groups.join(tensor.name, name)
          codes.insert(name.bytesKey)
        }
        for name in QuantisedNames.codes(beside: tensor.name) {
          guard let dtype = dtypes[name.bytesKey], !QuantisedNames.numbers.contains(dtype.name) else { continue }
          groups.join(tensor.name, name)
          codes.insert(name.bytesKey)
        }
      }
    }
    units = groups.all.map { names in
      Unit(codes: names.first { codes.contains($0.bytesKey) }!, names: names)
    }
    places = Dictionary(
      units.enumerated().flatMap { i, unit in unit.names.map { ($0.bytesKey, i) } }, uniquingKeysWith: { a, _ in a })
  }

  /// The units of a base and of the results of its patches.
  init(_ patches: [Patch]) {
    // A patch that only changes values keeps names and dtypes.
    let makers = patches.filter { patch in
      patch.header.tensors.contains { $0.operation != .same && $0.operation != .change }
    }
    self.init(
      [patches.first?.header.tensors.compactMap(\.base?.info) ?? []]
        + makers.map { $0.header.tensors.compactMap(\.target?.info) })
  }

  /// The unit that a tensor is part of.
  package func unit(of name: String) -> Unit? { places[name.bytesKey].map { units[$0] } }
}

/// Groups of names that are connected, directly or through others.
private struct NameGroups {
  private var indices: [String: Int] = [:]
  private var names: [String] = []
  private var parents: [Int] = []

  mutating func join(_ a: String, _ b: String) {
    let (i, j) = (index(a), index(b))
    let (first, second) = (root(i), root(j))
    if first != second { parents[second] = first }
  }

  /// Each group in ascending order, and the groups by their first names.
  var all: [[String]] {
    var groups: [Int: [String]] = [:]
    for i in names.indices { groups[root(i), default: []].append(names[i]) }
    return groups.values.map { $0.sorted { $0.precedes($1) } }.sorted { $0[0].precedes($1[0]) }
  }

  private mutating func index(_ name: String) -> Int {
    if let index = indices[name.bytesKey] { return index }
    indices[name.bytesKey] = names.count
    names.append(name)
    parents.append(parents.count)
    return parents.count - 1
  }

  private func root(_ index: Int) -> Int {
    var index = index
    while parents[index] != index { index = parents[index] }
    return index
  }
}
