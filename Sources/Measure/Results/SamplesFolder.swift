// The files in which lm-evaluation-harness and lmms-eval log each item with its score:
//
//   samples_TASK_DATE.jsonl (lm-eval)    DATE_samples_TASK.jsonl (lmms-eval)
//
// A line is an object with "doc_id", "doc_hash", "filter" (lm-eval: one line per filter), and the score under the
// metric's name: a number, a bool, or an object with a "score" (some tasks of lmms-eval).
//
// Before 0.4.3, lm-eval wrote ARGUMENTS_TASK.jsonl with all items in one JSON array, without hashes or filters.

import Base

/// A folder with the samples files of one evaluation.
package struct SamplesFolder {
  package let path: String
  private let names: [String]

  /// In bytes. A line has an item with its prompt and all answers.
  private static let maximumLine = 64 << 20
  /// In bytes. Old files are read whole.
  private static let maximumArray = 256 << 20

  package init(path: String) throws {
    guard try PathKind.of(path) == .directory else {
      throw VPatchError(
        .io, path, "is not a folder", remedy: "give the folder with the evaluation's samples files")
    }
    self.path = path
    names = try Path.entries(of: path)
  }

  /// The items of one measurement with their scores.
  struct Scores {
    /// By task and item number.
    var items: [String: Item] = [:]
    var hashes: [String?] = []

    struct Item {
      let score: Double
      let hash: String?
    }
  }

  /// Reads the scores of a measurement.
  /// - Returns: nil if there are none: no file, another filter, or a metric without item scores.
  /// - Throws: `refused` for samples of other items than the results'.
  func scores(of measurement: EvaluationResults.Measurement, in results: EvaluationResults) throws -> Scores? {
    var scores = Scores()
    for leaf in measurement.leaves {
      guard let name = try file(of: leaf.task, in: results) else { return nil }
      let input = try InputFile(path: Path.join(path, name))
      var hash = TaskHash(evaluator: results.evaluator.name)
      var isComplete = true
      try Self.forEachSample(of: input) { sample in
        hash.add(sample)
        if let filter = sample["filter"]?.string, filter != measurement.filter ?? "none" { return }
        guard let id = sample["doc_id"].map({ $0.compact().bytesKey }),
          let score = Self.score(sample[measurement.metric])
        else {
          isComplete = false
          return
        }
        let key = "\(leaf.task.bytesKey)\u{0}\(id)"
        let old = scores.items.updateValue(.init(score: score, hash: sample["doc_hash"]?.string), forKey: key)
        // Lines of several filters without a "filter" member.
        if old != nil { isComplete = false }
      }
      let found = hash.finish()
      if let promised = leaf.hash, let found, promised != found {
        throw VPatchError(
          .refused, input.path, "has other items than \(Path.name(results.path))",
          remedy: "give the samples of the same evaluation")
      }
      guard isComplete else { return nil }
      scores.hashes.append(found)
    }
    return scores.items.isEmpty ? nil : scores
  }

  private static func forEachSample(of input: InputFile, _ body: (JSON) -> Void) throws {
    func parse(_ text: [UInt8], _ place: String) throws -> JSON {
      do { return try JSON.parse(text, allowsNonFinite: true) } catch let error as JSONError {
        throw VPatchError(.invalid, input.path, "is not valid JSON\(place): \(error.reason)")
      }
    }
    if input.size > 0, try input.read(0..<1) == [UInt8(ascii: "[")] {
      try parse(input.contents(limit: maximumArray), "").array?.forEach(body)
      return
    }
    try input.forEachLine(limit: maximumLine) { number, line in
      if !line.isEmpty { body(try parse(line, " in line \(number)")) }
    }
  }

  private static func score(_ json: JSON?) -> Double? {
    switch json {
    case .bool(let isRight): isRight ? 1 : 0
    case .object: json?["score"].flatMap { $0.object == nil ? score($0) : nil }
    default: json?.double.flatMap { $0.isFinite ? $0 : nil }
    }
  }

  /// The samples file of a task; if the folder has several runs, the one with the results file's date.
  private func file(of task: String, in results: EvaluationResults) throws -> String? {
    let found = names.filter { name in
      Self.date(of: name, between: "samples_\(task)_", and: ".jsonl") != nil
        || Self.date(of: name, between: "", and: "_samples_\(task).jsonl") != nil
    }
    if found.isEmpty {
      let old = names.filter { $0.utf8.reversed().starts(with: "_\(task).jsonl".utf8.reversed()) }
      // "_a" also ends "_b_a". The part before the task is the same for all tasks of a run, so the shortest name is
      // right.
      return old.count > 1 ? old.min { $0.utf8.count < $1.utf8.count } : old.first
    }
    guard found.count > 1 else { return found.first }
    let own = Path.name(results.path)
    let date =
      Self.date(of: own, between: "results_", and: ".json") ?? Self.date(of: own, between: "", and: "_results.json")
    let sameDate = date.map { date in found.filter { $0.contains(date) } } ?? []
    guard sameDate.count == 1 else {
      throw VPatchError(
        .refused, path, "has \(found.count) samples files of the task \"\(task.printable)\"",
        remedy: "keep only those of one evaluation")
    }
    return sameDate[0]
  }

  /// The text between, if it is a date such as 2026-11-22T10-00-00.123456 or 20261122_100000.
  private static func date(of name: String, between prefix: String, and suffix: String) -> String? {
    let (name, prefix, suffix) = (Array(name.utf8), Array(prefix.utf8), Array(suffix.utf8))
    guard name.count > prefix.count + suffix.count, name.starts(with: prefix),
      name.suffix(suffix.count).elementsEqual(suffix)
    else { return nil }
    let middle = name[prefix.count..<(name.count - suffix.count)]
    func isDigit(_ c: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c) }
    guard middle.prefix(4).count == 4, middle.prefix(4).allSatisfy(isDigit),
      middle.allSatisfy({ isDigit($0) || "-_.T".utf8.contains($0) })
    else { return nil }
    return String(decoding: middle, as: UTF8.self)
  }
}
