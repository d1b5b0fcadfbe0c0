import Base
import Checkpoints
import PatchFormat

extension FileLayout {
  private static var stampKey: String { "vpatch" }

  /// Whether `--stamp` wrote a provenance into the files.
  package func isStamped(path: String) throws -> Bool {
    try files.contains { file in
      try SafetensorsHeader(text: file.header, subject: path).metadata.contains { $0.key == Self.stampKey }
    }
  }

  /// The layout without the provenance from `--stamp`, which describes the model before the change.
  func unstamped(path: String) throws -> FileLayout {
    try withMetadata(path: path) {
      $0.contains { $0.key == Self.stampKey } ? $0.filter { $0.key != Self.stampKey } : nil
    }
  }

  /// Headers with other metadata. Nil from `change` keeps a header unchanged.
  private func withMetadata(path: String, _ change: ([JSON.Member]) -> [JSON.Member]?) throws -> FileLayout {
    FileLayout(
      files: try files.map { file in
        let header = try SafetensorsHeader(text: file.header, subject: path)
        guard let metadata = change(header.metadata) else { return file }
        return File(
          name: file.name, header: SafetensorsHeader.text(for: header.tensors.map(\.info), metadata: metadata))
      }, index: index)
  }

  /// The layout with a provenance in each file's metadata, under the key "vpatch".
  package func stamped(_ provenance: JSON, path: String) throws -> FileLayout {
    try withMetadata(path: path) { metadata in
      metadata.filter { $0.key != Self.stampKey } + [JSON.Member(Self.stampKey, .string(provenance.compact()))]
    }
  }
}
