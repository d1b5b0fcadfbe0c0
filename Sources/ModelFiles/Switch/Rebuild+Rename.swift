import Apply
import Base
import Checkpoints
import PatchFormat

extension Rebuild {
  /// Writes the files that change, under temporary names, and registers the files to be removed.
  /// - Returns: whether the files will be byte for byte the patch's own, and how many bytes were written.
  func replaceFiles(_ touched: [Touched], _ model: LockedModel, _ replacements: inout PendingReplacements) throws -> (
    Bool, Int
  ) {
    let (layout, isExact) = try view.layout()
    let names = layout.files.map { input.isDirectory && $0.name.isEmpty ? SafetensorsCheckpoint.singleName : $0.name }
    let changed = zip(layout.files, names).filter { !stays($0, as: $1, touched) }.map(\.0)
    let written = try writeFiles(changed, touched, replacing: true) { name in
      input.isDirectory ? Path.join(model.place.path, name) : model.place.path
    }
    replacements.replace(with: written)
    if input.isDirectory {
      let kept = Set(names.map(\.bytesKey))
      for file in input.files where !kept.contains(file.name.bytesKey) { try replacements.remove(file.name) }
      if layout.index != input.index { try replacements.replace(SafetensorsCheckpoint.indexName, with: layout.index) }
    }
    return (
      isExact, try changed.reduce(0) { try $0 + SafetensorsHeader(text: $1.header, subject: input.path).fileSize }
    )
  }

  /// Whether a file of the output equals one of the input, untouched.
  private func stays(_ file: FileLayout.File, as name: String, _ touched: [Touched]) -> Bool {
    guard let i = input.files.firstIndex(where: { $0.name.isSame(as: name) }), input.files[i].header.text == file.header
    else { return false }
    return !touched.contains { input.tensor(named: $0.name)?.file == i }
  }
}
