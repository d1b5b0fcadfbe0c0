import Apply
import Base
import Measure
import PatchFormat

extension Patch {
  /// What a patch says about itself: what `vpatch show --json` prints.
  package var json: JSON {
    let summary = PatchSummary(header)
    return JSON.dictionary([
      "identity": .string(identity.hex), "base": .string(header.baseRoot.hex),
      "target": .string(header.targetRoot.hex), "bytes": JSON(fileSize),
      "annotations": annotations,
      "forgetting": (try? ForgettingReport(self))?.json ?? .dictionary(["status": .string("invalid")]),
      "signatures": .array(
        PatchSignature.all(in: annotations).signatures.map { signature in
          .dictionary([
            "key": .string(signature.key.hex),
            "holds": .bool(signature.isValid(for: signedContent, annotations)),
          ])
        }),
      "layout": .string(summary.layout.name),
      "tensors": JSON(header.tensors.count), "changes": summary.json,
      "flags": .array(header.flags.names.map { .string($0) }), "adapter": adapterJSON(summary),
      "side_files": .array(annex.sideFiles.map { .string($0.name) }),
      "touched": .array(
        header.touched.map { tensor in
          .dictionary([
            "name": .string(tensor.name), "operation": .string(tensor.operation.rawValue),
            "base": tensor.base.map { .string($0.fingerprint.hex) },
            "target": tensor.target.map { .string($0.fingerprint.hex) },
            "stored_bytes": JSON(tensor.storedBytes),
          ])
        }),
    ]).adding(SideFileSummary(annex).members)
  }

  /// What it has of an adapter; nil for nothing.
  private func adapterJSON(_ summary: PatchSummary) -> JSON? {
    guard !header.adapter.isEmpty else { return nil }
    let files = annex.adapter
    return .dictionary([
      "tensors": JSON(header.adapter.count), "whole": .bool(files != nil),
      "stored_bytes": JSON(summary.adapter.storedBytes),
      "config": files.map { .string(SHA256Hasher.hash($0.config).hex) },
      "weights": files.map { .string($0.digest.hex) },
    ])
  }
}
