// The member "adapter" of the annex's manifest (spec, section 6):
//
//   {"config": blob, "header": blob, "sha256": digest of adapter_model.safetensors}

import Base
import Checkpoints

extension Annex.AdapterFiles {
  /// - Throws: `Malformed`.
  init(parsing json: JSON, _ blobs: inout Blobs) throws {
    let members = try ObjectReader<Malformed>(json, of: "the adapter")
    config = try blobs.take(try members.int("config"))
    header = try blobs.take(try members.int("header"))
    digest = try members.digest("sha256")
    try members.finish()
  }

  /// Checks that the header holds exactly these tensors.
  /// - Throws: `Malformed`.
  func check(against tensors: [TensorInfo], maximumValues: Int) throws {
    let found: [TensorInfo]
    do {
      found = try SafetensorsHeader(
        text: header, dataCount: nil, subject: "its annex", maximumValues: maximumValues
      ).tensors.map(\.info)
    } catch let error as VPatchError {
      throw Malformed("has an annex with an invalid header of its adapter: \(error.reason)")
    }
    guard found.sorted(by: { $0.name.precedes($1.name) }) == tensors else {
      throw Malformed("has a header of its adapter that does not match the adapter's tensors")
    }
  }
}
