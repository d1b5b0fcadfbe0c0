import Base
import GRDB

/// A recorded change of a model in place.
package struct Application: Sendable, Equatable {
  package enum State: String, Sendable {
    /// Begun. The model's journal shows whether it was completed.
    case pending
    case done
    /// Reverted.
    case undone
  }

  package let id: Int64
  /// Absolute path.
  package let model: String
  /// The command: switch, revert, …
  package let kind: String
  package let state: State
  /// The model's provenance before and after.
  package let before, after: JSON
  /// Seconds since 1970.
  package let started: Int
  /// The patches that are needed to undo it, in ascending order.
  package let patches: [ContentDigest]
}

extension Store {
  /// Records a change that is about to be made to a model. From now on the patches are kept, until it is abandoned or
  /// undone.
  /// - Parameters:
  ///   - model: absolute path.
  ///   - patches: needed to undo it; all must be in the store.
  ///   - ifThere: also useful for that, if the store has them.
  package func beginApplication(
    model: String, kind: String, before: JSON, after: JSON, patches: [ContentDigest], ifThere: [ContentDigest] = []
  ) throws -> Int64 {
    let now = Clock.now
    return try write { db in
      try db.execute(
        sql: """
          INSERT INTO applications (model, kind, state, before, after, started) VALUES (?, ?, 'pending', ?, ?, ?)
          """, arguments: [model, kind, before.compact(), after.compact(), now])
      let id = db.lastInsertedRowID
      let ids = try patches.map { try requiredID(of: $0, db) } + ifThere.compactMap { try Self.id(of: $0, db) }
      for patch in Set(ids) {
        try db.execute(
          sql: "INSERT INTO application_patches (application, patch) VALUES (?, ?)", arguments: [id, patch])
      }
      return id
    }
  }

  /// Records that the change was made.
  /// - Parameter supersedingEarlier: the application has all patches for undoing the model's earlier ones, so those no
  ///   longer keep theirs. This includes earlier ones that were killed or failed.
  package func finishApplication(_ id: Int64, supersedingEarlier: Bool = false) throws {
    try setState(id, .done, from: "'pending'") { db in
      guard supersedingEarlier else { return }
      try setUndone("id < ?1 AND state <> 'undone' AND model = (SELECT model FROM applications WHERE id = ?1)", id, db)
    }
  }

  /// Records that it was undone: its patches are no longer kept for it.
  package func markUndone(_ id: Int64) throws {
    try setState(id, .undone, from: "'pending', 'done'") { db in try setUndone("id = ?1", id, db) }
  }

  private func setUndone(_ condition: String, _ id: Int64, _ db: Database) throws {
    try db.execute(
      sql: "DELETE FROM application_patches WHERE application IN (SELECT id FROM applications WHERE \(condition))",
      arguments: [id])
    try db.execute(sql: "UPDATE applications SET state = 'undone' WHERE \(condition)", arguments: [id])
  }

  /// Deletes the record of a change that was not made.
  package func abandonApplication(_ id: Int64) throws {
    try write { db in
      try db.execute(sql: "DELETE FROM applications WHERE id = ? AND state = 'pending'", arguments: [id])
      try requireChange(id, db)
    }
  }

  /// The changes of a model, oldest first.
  package func applications(model: String) throws -> [Application] { try applications("a.model = ?", [model]) }

  /// The changes of all models, oldest first.
  package func applications() throws -> [Application] { try applications("1", []) }

  private func setState(
    _ id: Int64, _ state: Application.State, from: String, _ more: (Database) throws -> Void = { _ in }
  ) throws {
    try write { db in
      try db.execute(
        sql: "UPDATE applications SET state = ? WHERE id = ? AND state IN (\(from))", arguments: [state.rawValue, id])
      try requireChange(id, db)
      try more(db)
    }
  }

  private func requireChange(_ id: Int64, _ db: Database) throws {
    guard db.changesCount > 0 else {
      throw VPatchError(.refused, path, "has no pending application \(id)", remedy: "see vpatch status")
    }
  }

  private func applications(_ condition: String, _ arguments: StatementArguments) throws -> [Application] {
    try read { db in
      let needed = try Row.fetchAll(
        db,
        sql: """
          SELECT n.application, p.identity FROM application_patches n JOIN patches p ON p.id = n.patch
          JOIN applications a ON a.id = n.application WHERE \(condition) ORDER BY p.identity
          """, arguments: arguments
      ).reduce(into: [Int: [ContentDigest]]()) { $0[try $1.integer(0), default: []].append(try $1.digest(1)) }
      return try Row.fetchAll(
        db,
        sql: """
          SELECT a.id, a.model, a.kind, a.state, a.before, a.after, a.started FROM applications a
          WHERE \(condition) ORDER BY a.id
          """, arguments: arguments
      ).map { row in
        guard let state = Application.State(rawValue: try row.text(3)) else {
          throw DamagedRow(what: "an application in an unknown state")
        }
        let id = try row.integer(0)
        return Application(
          id: Int64(id), model: try row.text(1), kind: try row.text(2), state: state, before: try row.json(4),
          after: try row.json(5), started: try row.integer(6), patches: needed[id] ?? [])
      }
    }
  }
}
