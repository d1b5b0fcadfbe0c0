import Base

/// The files below `patches/`, by their names alone.
struct PatchFolder {
  /// Files with the names of patches.
  private(set) var patches: [(identity: ContentDigest, path: String)] = []
  /// Leftovers of interrupted processes.
  private(set) var temporaries: [String] = []
  /// Files that vpatch does not create there.
  private(set) var foreign: [String] = []

  init(_ store: Store) throws {
    let catalogue = Store.cataloguePath(store.path)
    temporaries =
      try Path.entries(of: store.path)
      .filter { Store.isTemporary($0, of: Path.name(catalogue)) }.map { Path.join(store.path, $0) }
      + store.abandonedScratch()
    guard try PathKind.of(store.patchesPath) == .directory else { return }
    for name in try Path.entries(of: store.patchesPath) {
      let folder = Path.join(store.patchesPath, name)
      if Store.isTemporary(name) {
        temporaries.append(folder)
        continue
      }
      guard name.utf8.count == 2, try PathKind.of(folder) == .directory else {
        foreign.append(folder)
        continue
      }
      for file in try Path.entries(of: folder) {
        let path = Path.join(folder, file)
        if Store.isTemporary(file) {
          temporaries.append(path)
        } else if file.hasSuffix(".vpatch"), let identity = ContentDigest(hex: String(file.dropLast(7))),
          file.hasPrefix(name), try PathKind.of(path, followingLinks: false) == .file
        {
          patches.append((identity, path))
        } else {
          foreign.append(path)
        }
      }
    }
  }

  /// Patch files that are not in a catalogue with these patches.
  func orphans(_ known: Set<ContentDigest>) -> [String] { patches.filter { !known.contains($0.identity) }.map(\.path) }
}
