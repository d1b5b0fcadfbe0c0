import Apply
import Catalogue
import Measure
import PatchFormat

extension Patch {
  /// Its annotations with more records, and without the signatures that this makes void.
  /// - Parameter replaceAll: drop the records that are there.
  func annotations(
    adding records: [ForgettingRecord], replaceAll: Bool = false
  ) throws -> (annotations: JSON, records: [ForgettingRecord], dropped: [PatchSignature]) {
    let old = replaceAll ? [] : try [ForgettingRecord](annotations: annotations, subject: label)
    let all = old.adding(records)
    let (annotations, dropped) = PatchSignature.droppingStale(from: all.replacing(in: annotations), signedContent)
    return (annotations, all, dropped)
  }
}

/// Where records of a patch were written.
struct RecordWriting {
  /// The patch's file, or what the store calls it.
  private(set) var places: [String] = []
  private(set) var dropped: [PatchSignature] = []

  /// Whether the file can be written, to be asked before long work.
  static func check(_ patch: Patch, _ options: StoreOptions) throws {
    guard try options.existing()?.path(of: patch.identity) != patch.path else { return }
    try OutputCheck.file(patch.path, inputs: [], force: true)
  }

  /// Adds records to the annotations of a patch: in its file, and in the store where that has it too.
  init(_ records: [ForgettingRecord], to patch: Patch, _ options: StoreOptions, threads: Int) throws {
    let store = try options.existing()
    let stored = try store?.path(of: patch.identity)
    if stored != patch.path {
      try Self.check(patch, options)
      let (annotations, _, dropped) = try patch.annotations(adding: records)
      try patch.write(annotations: annotations, to: patch.path, replacing: true)
      places.append(patch.path)
      self.dropped += dropped
    }
    if let store, stored != nil {
      // Its notes there may be others than those of the file.
      let kept = try store.patch(patch.identity, threads: threads)
      let (annotations, _, dropped) = try kept.annotations(adding: records)
      try store.annotate(kept.identity, annotations)
      places.append("\(try store.label(kept.identity) ?? kept.identity.short) in the store")
      self.dropped += dropped.filter { new in !self.dropped.contains { $0.key == new.key } }
    }
  }

  func remarks(_ common: CommonOptions) {
    for signature in dropped {
      common.remark("the signature by \(signature.key.short) was of the annotations before, and is dropped: sign anew")
    }
  }
}
