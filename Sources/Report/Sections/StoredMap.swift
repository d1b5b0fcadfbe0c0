import Apply
import Base
import Families
import PatchFormat

/// Heat maps from patches alone, without their base.
enum StoredMap {
  /// The keys of their metrics in the style sheet.
  static let bitsKey = "b"
  static let membersKey = "m"

  /// How many bits per weight the patch stores: the farther the weights moved, the more.
  package static func bits(_ patch: Patch) -> String {
    let layout = ModelLayout.recognise(names: patch.header.tensors.compactMap { $0.base?.info.name })
    let groups = ComponentGroup.groups(patch.header.tensors.map { (layout.component(of: $0.name), $0) })
    func bits(_ tensors: [PatchTensor]) -> Double {
      let weights = tensors.reduce(0) { $0 + ($1.target ?? $1.base)!.info.elementCount }
      return weights == 0 ? 0 : 8 * Double(tensors.reduce(0) { $0 + $1.storedBytes }) / Double(weights)
    }
    func isTouched(_ tensors: [PatchTensor]) -> Bool { tensors.contains { $0.operation != .same } }
    let most = groups.flatMap { Dictionary(grouping: $0.items, by: \.layer).values.map { bits($0.map(\.item)) } }.max()
    let scale = ColorScale.counts(upTo: Int((most ?? 1).rounded(.up)))
    return html(
      groups, key: bitsKey, scale, legend: "stored bits per weight", tick: { Format.plain($0) },
      cell: { tensors in
        isTouched(tensors) ? (bits(tensors), "\(Format.fixed(bits(tensors), 3)) bits per weight") : nil
      },
      end: { isTouched($0) ? Format.fixed(bits($0), 2) : nil })
  }

  /// How many members of a stack touch each component.
  package static func members(_ patches: [Patch]) -> String {
    let names = patches.first.map { $0.header.tensors.compactMap { $0.base?.info.name } } ?? []
    let layout = ModelLayout.recognise(names: names)
    var counts: [String: Int] = [:]
    for tensor in patches.flatMap(\.header.touched) { counts[tensor.name.bytesKey, default: 0] += 1 }
    let groups = ComponentGroup.groups(names.map { (layout.component(of: $0), counts[$0.bytesKey] ?? 0) })
    return html(
      groups, key: membersKey, ColorScale.counts(upTo: patches.count), legend: "members that touch the component",
      tick: { Format.plain($0) },
      cell: { counts in
        let most = counts.max() ?? 0
        return most == 0 ? nil : (Double(most), Format.counted(most, "member"))
      },
      end: { counts in
        guard let least = counts.min(), let most = counts.max(), most > 0 else { return nil }
        return least == most ? "\(most)" : "\(least)–\(most)"
      })
  }

  /// - Parameters:
  ///   - cell: the value that colours a cell, and its text; nil for an untouched one.
  ///   - end: the text at the end of a row.
  private static func html<Item>(
    _ groups: [ComponentGroup<Item>], key: String, _ scale: ColorScale, legend: String, tick: (Double) -> String,
    cell: ([Item]) -> (value: Double, text: String)?, end: ([Item]) -> String?
  ) -> String {
    let maps = Component.Region.allCases.compactMap { region -> HeatMap? in
      let rows = groups.filter { $0.region == region && $0.items.contains { $0.layer != nil } }.map { group in
        let layers = Dictionary(grouping: group.items.filter { $0.layer != nil }, by: { $0.layer! })
        let text = end(group.items.map(\.item))
        return HeatMap.Row(
          label: group.label,
          cells: layers.mapValues { items in
            guard let (value, text) = cell(items.map(\.item)) else { return .init(classes: "same", tip: "unchanged") }
            return .init(classes: "\(key)\(scale.step(value, of: HTMLStyle.steps))", tip: text)
          },
          ends: text.map { [($0, "")] } ?? [], isQuiet: text == nil)
      }
      return rows.isEmpty ? nil : HeatMap(region: region, rows: rows, sum: nil)
    }
    guard !maps.isEmpty else { return "" }
    return HeatMap.html(maps, legend: HeatMap.legend(key, legend, scale, tick))
  }
}
