import Base

/// Hash of a task's items, as the harnesses compute it for "task_hashes".
struct TaskHash {
  private let hasher = SHA256Hasher()
  private let isLmms: Bool
  private var count = 0
  private var isWhole = true

  init(evaluator: String) { isLmms = evaluator == HarnessResults.lmmsEval }

  /// Adds one line of a samples file.
  mutating func add(_ sample: JSON) {
    // lm-eval: hash_string of doc_hash + prompt_hash + target_hash of every line; lmms-eval: "sample_0" + doc_hash, …
    let keys = isLmms ? ["doc_hash"] : ["doc_hash", "prompt_hash", "target_hash"]
    let parts = keys.compactMap { sample[$0]?.string }
    isWhole = isWhole && parts.count == keys.count
    hasher.update((isLmms ? "sample_\(count)" : "") + parts.joined())
    count += 1
  }

  /// Nil if a line lacks a hashed member.
  func finish() -> String? { isWhole && count > 0 ? hasher.finalize().hex : nil }

  /// Digest of the items of several tasks: the hash itself for one task; nil if a task has no hash.
  /// - Parameter hashes: in ascending order of task names.
  static func probeSet(_ hashes: [String?]) -> ContentDigest? {
    let known = hashes.compactMap { $0.flatMap(ContentDigest.init(hex:)) }
    guard known.count == hashes.count, let first = known.first else { return nil }
    return known.count == 1 ? first : SHA256Hasher.hash(known.flatMap(\.bytes))
  }
}
