import Base
import Checkpoints
import PatchFormat

/// A change of a tensor that affects the file layout.
struct LayoutChange: Sendable {
  package let name: String
  /// The tensor after the change; nil where it is removed.
  package let target: TensorInfo?
}

extension FileLayout {
  /// This layout after changed, added or removed tensors. Headers that need no change stay byte for byte; added tensors
  /// go to the end of the last file, in the order of their names.
  func adapted(to changes: [LayoutChange], path: String) throws -> FileLayout {
    let changeOf = Dictionary(uniqueKeysWithValues: changes.map { ($0.name.bytesKey, $0) })
    var placed: Set<String> = []
    let parsed = try files.map { try SafetensorsHeader(text: $0.header, subject: path) }
    for header in parsed { placed.formUnion(header.tensors.map(\.info.name.bytesKey)) }
    let added = changes.filter { !placed.contains($0.name.bytesKey) }.compactMap(\.target).sorted {
      $0.name.precedes($1.name)
    }
    var weightMap: [(String, String)] = []
    var total = 0
    let adapted = zip(files, parsed).enumerated().map { i, pair -> File in
      let (file, header) = pair
      var tensors = header.tensors.compactMap { entry in
        changeOf[entry.info.name.bytesKey].map { $0.target } ?? entry.info
      }
      if i == files.count - 1 { tensors += added }
      weightMap += tensors.map { ($0.name, file.name) }
      total += tensors.reduce(0) { $0 + $1.byteCount }
      if tensors == header.tensors.map(\.info) { return file }
      return File(name: file.name, header: SafetensorsHeader.text(for: tensors, metadata: header.metadata))
    }
    return FileLayout(files: adapted, index: try index.map { try Self.index($0, weightMap, total, path: path) })
  }

  /// The index with another weight map; byte for byte the same where nothing in it changes.
  private static func index(
    _ text: [UInt8], _ weightMap: [(String, String)], _ total: Int, path: String
  ) throws -> [UInt8] {
    guard let members = try? JSON.parse(text).object else {
      throw VPatchError(.invalid, path, "has an index that is not valid JSON")
    }
    let old = members.first { $0.key == "weight_map" }?.value.object ?? []
    let isSame =
      old.count == weightMap.count
      && Dictionary(old.map { ($0.key.bytesKey, $0.value.string ?? "") }) { a, _ in a }
        == Dictionary(weightMap.map { ($0.0.bytesKey, $0.1) }) { a, _ in a }
    let sorted = weightMap.sorted { $0.0.precedes($1.0) }.map { JSON.Member($0.0, .string($0.1)) }
    let updated = members.map { member -> JSON.Member in
      switch member.key {
      case "weight_map": return JSON.Member("weight_map", isSame ? member.value : .object(sorted))
      case "metadata":
        let metadata = member.value.object ?? []
        return JSON.Member(
          "metadata", .object(metadata.map { $0.key == "total_size" ? JSON.Member("total_size", JSON(total)) : $0 }))
      default: return member
      }
    }
    return updated == members ? text : Array((JSON.object(updated).pretty() + "\n").utf8)
  }
}
