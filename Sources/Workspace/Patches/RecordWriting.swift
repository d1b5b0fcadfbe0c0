import Base
import Catalogue
import Measure
import PatchFormat

extension Patch {
  /// Its annotations with more records, without the signatures that this invalidates.
  /// - Parameter replaceAll: drop the existing records.
  package func annotations(
    adding records: [ForgettingRecord], replaceAll: Bool = false
  ) throws -> (annotations: JSON, records: [ForgettingRecord], dropped: [PatchSignature]) {
    let old = replaceAll ? [] : try [ForgettingRecord](annotations: annotations, subject: label)
    let all = old.adding(records)
    let (annotations, dropped) = PatchSignature.droppingStale(from: all.replacing(in: annotations), signedContent)
    return (annotations, all, dropped)
  }

  /// Its annotations without the records of some tasks, and without the signatures that this invalidates.
  package func annotations(
    dropping tasks: [String]
  ) throws -> (annotations: JSON, records: [ForgettingRecord], dropped: [PatchSignature]) {
    let kept = try [ForgettingRecord](annotations: annotations, subject: label).dropping(tasks).kept
    let (annotations, dropped) = PatchSignature.droppingStale(from: kept.replacing(in: annotations), signedContent)
    return (annotations, kept, dropped)
  }
}

/// Where the records of a patch were written.
package struct RecordWriting {
  /// The patch's file, or its name in the store.
  package private(set) var places: [String] = []
  package private(set) var dropped: [PatchSignature] = []

  /// Checks before long work that the file can be written. A patch in the store is leased until then.
  package static func check(_ patch: Patch, in workspace: Workspace) throws {
    if let store = try workspace.store.existing(), try store.holds(patch) { return try store.lease(patch.identity) }
    try OutputCheck.file(patch.path, inputs: [], force: true)
  }

  /// Adds records to the annotations of a patch: in its file, and in the store if the patch is there too.
  package init(_ records: [ForgettingRecord], to patch: Patch, in workspace: Workspace) throws {
    try self.init(patch, in: workspace) {
      let (annotations, _, voided) = try $0.annotations(adding: records)
      return (annotations, voided)
    }
  }

  /// Drops the records of some tasks in the same places.
  package init(dropping tasks: [String], from patch: Patch, in workspace: Workspace) throws {
    try self.init(patch, in: workspace) {
      let (annotations, _, voided) = try $0.annotations(dropping: tasks)
      return (annotations, voided)
    }
  }

  private init(
    _ patch: Patch, in workspace: Workspace,
    change: (Patch) throws -> (annotations: JSON, voided: [PatchSignature])
  ) throws {
    var dropped: [PatchSignature] = []
    func changed(_ patch: Patch) throws -> JSON {
      let (annotations, voided) = try change(patch)
      dropped += voided.filter { new in !dropped.contains { $0.key == new.key } }
      return annotations
    }
    let store = try workspace.store.existing()
    if try store?.holds(patch) != true {
      try Self.check(patch, in: workspace)
      try patch.editAnnotations(threads: workspace.work.threads, changed)
      places.append(patch.path)
    }
    if let store, try store.path(of: patch.identity) != nil {
      // The annotations there may differ from those of the file.
      try store.editAnnotations(patch.identity, threads: workspace.work.threads, changed)
      places.append("\(try store.label(patch.identity) ?? patch.identity.short) in the store")
    }
    self.dropped = dropped
  }

  /// What a user should know of it.
  package var notes: [String] { Self.notes(dropped) }

  /// - Parameter dropped: signatures that a change of annotations made invalid.
  package static func notes(_ dropped: [PatchSignature]) -> [String] {
    dropped.map {
      "dropped the signature by \($0.key.short): the annotations changed; sign the patch again"
    }
  }
}
