import GRDB

/// The tables of a catalogue. Released steps are never changed: changes are new steps.
enum Schema {
  /// The number of the last step.
  static var version: Int { steps.count }

  private static let steps = [
    // 1
    """
    -- A checkpoint that is the base of patches, identified by its root. Unknown values are NULL.
    CREATE TABLE bases (
      root BLOB NOT NULL PRIMARY KEY CHECK (length(root) = 32),
      tensors INTEGER, bytes INTEGER, layout TEXT, seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- The paths where it was found.
    CREATE TABLE sightings (
      base BLOB NOT NULL REFERENCES bases (root), path TEXT NOT NULL, seen INTEGER NOT NULL,
      PRIMARY KEY (base, path)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sightings_by_path ON sightings (path);

    -- A patch. All but id, kind and added are copies of values in its file.
    CREATE TABLE patches (
      id INTEGER PRIMARY KEY,
      identity BLOB NOT NULL UNIQUE CHECK (length(identity) = 32),
      base BLOB NOT NULL REFERENCES bases (root),
      target BLOB NOT NULL CHECK (length(target) = 32),
      kind TEXT NOT NULL CHECK (kind IN ('patch', 'composite', 'undo')),
      name TEXT, note TEXT, recipe TEXT,
      tensors INTEGER NOT NULL, tuned_bytes INTEGER NOT NULL, file_bytes INTEGER NOT NULL,
      status TEXT NOT NULL CHECK (status IN ('measured', 'reported', 'predicted', 'unmeasured')),
      learning REAL, learning_low REAL, learning_high REAL, learning_items INTEGER NOT NULL,
      forgetting REAL, forgetting_low REAL, forgetting_high REAL, forgetting_items INTEGER NOT NULL,
      drift REAL,
      added INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX patches_by_base ON patches (base, added);
    CREATE INDEX patches_by_target ON patches (target);
    CREATE INDEX patches_by_recipe ON patches (recipe, added);
    CREATE INDEX patches_by_time ON patches (added);
    CREATE INDEX patches_by_drift ON patches (drift) WHERE drift IS NOT NULL;

    -- An alias belongs to one patch and may move; a tag may belong to many.
    CREATE TABLE aliases (
      name TEXT NOT NULL PRIMARY KEY, patch INTEGER NOT NULL REFERENCES patches (id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX aliases_by_patch ON aliases (patch, name);
    CREATE TABLE tags (
      name TEXT NOT NULL, patch INTEGER NOT NULL REFERENCES patches (id), PRIMARY KEY (name, patch)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_by_patch ON tags (patch, name);

    -- A stack's versions stay; the last one is the stack. Its definition is JSON. Its members are in a table
    -- too, so that they cannot be removed.
    CREATE TABLE stacks (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE stack_versions (
      id INTEGER PRIMARY KEY,
      stack INTEGER NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
      version INTEGER NOT NULL,
      base BLOB NOT NULL REFERENCES bases (root),
      identity BLOB NOT NULL CHECK (length(identity) = 32),
      definition TEXT NOT NULL,
      created INTEGER NOT NULL,
      UNIQUE (stack, version)
    ) STRICT;
    CREATE INDEX stack_versions_by_identity ON stack_versions (identity);
    CREATE INDEX stack_versions_by_base ON stack_versions (base);
    CREATE TABLE stack_members (
      version INTEGER NOT NULL REFERENCES stack_versions (id) ON DELETE CASCADE,
      patch INTEGER NOT NULL REFERENCES patches (id), scale REAL NOT NULL,
      PRIMARY KEY (version, patch)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX stack_members_by_patch ON stack_members (patch);

    -- The composite of a stack, by the stack's identity. The stack need not have a name.
    CREATE TABLE composites (
      stack BLOB NOT NULL PRIMARY KEY CHECK (length(stack) = 32),
      patch INTEGER NOT NULL REFERENCES patches (id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX composites_by_patch ON composites (patch);

    -- Forgetting records of a stack. Those of a patch are in its file.
    CREATE TABLE records (
      id INTEGER PRIMARY KEY, stack BLOB NOT NULL CHECK (length(stack) = 32), record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX records_by_stack ON records (stack);

    -- Changes of models in place, and the patches that are needed to undo them.
    CREATE TABLE applications (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      model TEXT NOT NULL, kind TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'undone')),
      before TEXT NOT NULL, after TEXT NOT NULL, started INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX applications_by_model ON applications (model, id);
    CREATE TABLE application_patches (
      application INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
      patch INTEGER NOT NULL REFERENCES patches (id),
      PRIMARY KEY (application, patch)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX application_patches_by_patch ON application_patches (patch);
    """,
    // 2
    """
    -- Patches in use. The owner is a number that the process holds in the file `leases`. A lease ends when no process
    -- holds its owner's number.
    CREATE TABLE leases (
      owner INTEGER NOT NULL, patch INTEGER NOT NULL REFERENCES patches (id), PRIMARY KEY (owner, patch)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX leases_by_patch ON leases (patch);
    """,
    // 3
    """
    -- The status of each number, where it differs from the status of all.
    ALTER TABLE patches ADD COLUMN learning_status TEXT;
    ALTER TABLE patches ADD COLUMN forgetting_status TEXT;
    ALTER TABLE patches ADD COLUMN drift_status TEXT;
    """,
  ]

  static let migrator: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    for (i, sql) in steps.enumerated() {
      migrator.registerMigration("\(i + 1)") { db in
        try db.execute(sql: sql)
        try db.execute(sql: "PRAGMA application_id = \(CatalogueFile.applicationID); PRAGMA user_version = \(i + 1)")
      }
    }
    return migrator
  }()

  /// An empty catalogue in memory with that version of the schema.
  static func make(version: Int) throws -> DatabaseQueue {
    let queue = try DatabaseQueue()
    try migrator.migrate(queue, upTo: "\(version)")
    return queue
  }

  /// An object of the schema, for comparison.
  struct Object: Equatable {
    let kind, name, table, sql: String?

    static func all(_ db: Database) throws -> [Object] {
      try Row.fetchAll(db, sql: "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").map { row in
        Object(
          kind: try row.optionalText(0), name: try row.optionalText(1), table: try row.optionalText(2),
          sql: try row.optionalText(3))
      }
    }
  }
}
