import Base
import Foundation
import GRDB

/// Selects patches; nil means any.
package struct PatchFilter: Sendable {
  /// The root of their base.
  package var base: ContentDigest?
  /// The root of their target.
  package var target: ContentDigest?
  package var recipe: String?
  package var tag: String?
  /// Patches whose drift is known and at most this, in nats per token.
  package var maximumDrift: Double?
  package var isMeasured: Bool?
  /// Part of an alias or of the patch's own name, ignoring case.
  package var name: String?
  /// Include composites and undos.
  package var includesDerived = false
  package var limit: Int?

  package init() {}

  /// A condition on a table `p`, and its arguments.
  var condition: (sql: String, arguments: StatementArguments) {
    var parts = ["1"]
    var arguments: StatementArguments = []
    func require(_ sql: String, _ values: (any DatabaseValueConvertible)?...) {
      parts.append(sql)
      arguments += StatementArguments(values)
    }
    if !includesDerived { require("p.kind = 'patch'") }
    if let base { require("p.base = ?", base.data) }
    if let target { require("p.target = ?", target.data) }
    if let recipe { require("p.recipe = ?", recipe) }
    if let tag { require("p.id IN (SELECT patch FROM tags WHERE name = ?)", tag) }
    if let maximumDrift { require("p.drift <= ?", maximumDrift) }
    if let isMeasured { require(isMeasured ? "p.status = 'measured'" : "p.status <> 'measured'") }
    if let name {
      let pattern = "%" + name.replacing(#/[%_\\]/#, with: { "\\" + $0.output }) + "%"
      require(
        #"""
        (p.name LIKE ? ESCAPE '\' OR p.id IN (SELECT patch FROM aliases WHERE name LIKE ? ESCAPE '\'))
        """#, pattern, pattern)
    }
    return (parts.joined(separator: " AND "), arguments)
  }
}

extension Store {
  /// The selected patches, newest first.
  package func patches(_ filter: PatchFilter = PatchFilter()) throws -> [StoredPatch] {
    let (condition, arguments) = filter.condition
    return try read { db in
      let cursor = try Row.fetchCursor(
        db,
        sql: """
          SELECT \(StoredPatch.columns) FROM patches p WHERE \(condition)
          ORDER BY p.added DESC, p.id DESC LIMIT \(filter.limit ?? -1)
          """, arguments: arguments)
      var found: [StoredPatch] = []
      while let row = try cursor.next() { found.append(try StoredPatch(row)) }
      return found
    }
  }

  /// The number of selected patches, without the limit.
  package func count(_ filter: PatchFilter = PatchFilter()) throws -> Int {
    let (condition, arguments) = filter.condition
    return try read { db in
      try Int.fetchOne(db, sql: "SELECT count(*) FROM patches p WHERE \(condition)", arguments: arguments) ?? 0
    }
  }
}
