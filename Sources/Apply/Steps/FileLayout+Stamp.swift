import Base
import Checkpoints
import PatchFormat

extension FileLayout {
  private static var stampKey: String { "vpatch" }

  /// Whether `--stamp` put a provenance into the files.
  package func isStamped(path: String) throws -> Bool {
    try files.contains { file in
      try SafetensorsHeader(text: file.header, subject: path).metadata.contains { $0.key == Self.stampKey }
    }
  }

  /// The same without what `--stamp` put there: it says what the model was.
  func unstamped(path: String) throws -> FileLayout {
    try withMetadata(path: path) {
      $0.contains { $0.key == Self.stampKey } ? $0.filter { $0.key != Self.stampKey } : nil
    }
  }

  /// Headers with other metadata; nil from `change` leaves one as it is.
  private func withMetadata(path: String, _ change: ([JSON.Member]) -> [JSON.Member]?) throws -> FileLayout {
    FileLayout(
      files: try files.map { file in
        let header = try SafetensorsHeader(text: file.header, subject: path)
        guard let metadata = change(header.metadata) else { return file }
        return File(
          name: file.name, header: SafetensorsHeader.text(for: header.tensors.map(\.info), metadata: metadata))
      }, index: index)
  }

  /// The same with a provenance in each file's metadata, under the key "vpatch".
  package func stamped(_ provenance: JSON, path: String) throws -> FileLayout {
    try withMetadata(path: path) { metadata in
      metadata.filter { $0.key != Self.stampKey } + [JSON.Member(Self.stampKey, .string(provenance.compact()))]
    }
  }
}
