import Apply
import ArgumentParser
import Base
import ModelFiles
import Workspace

extension CommonOptions {
  func report(_ changed: ChangedModel, verb: String) {
    report(changed.json, text: changed.text(verb))
    notes(changed.steps.findings)
    notes(sideFilesKept: changed.result.sideFilesKept)
  }

  func report(_ written: WrittenModel, verb: String) {
    report(written.result.json.adding(written.steps.findings.members), text: written.result.text(verb))
    notes(written.steps.findings)
    written.result.notes(self)
  }
}

extension ChangedModel {
  var json: JSON {
    JSON.dictionary([
      "model": .string(result.path), "from": .string(result.from.hex), "to": .string(result.to.hex),
      "base": .string(provenance.base.hex), "patches": provenance.summary["patches"],
      "touched_tensors": JSON(result.touchedTensors), "written_bytes": JSON(result.writtenBytes),
      "total_bytes": JSON(result.totalBytes), "unverified_tensors": JSON(result.unverifiedTensors),
      "files_exact": .bool(result.isFilesExact), "provenance": .string(result.provenancePath),
      "side_files_kept": .array(result.sideFilesKept.map { .string($0) }),
    ]).adding(result.sideFileSummary.members).adding(steps.findings.members)
  }

  func text(_ verb: String) -> String {
    let now = provenance.state.entries.map(\.title).joined(separator: ", then ")
    let untouched = provenance.verified.count + provenance.unverified.count - result.touchedTensors
    let rest =
      result.unverifiedTensors == 0
      ? "verified now or before"
      : result.unverifiedTensors == untouched
        ? "not verified (--full hashes them)" : "\(result.unverifiedTensors) of them not verified (--full hashes them)"
    return """
      \(verb) \(result.path.printable)
        now         \(now.isEmpty ? "the base" : now.printable)
        rewritten   \(Format.counted(result.touchedTensors, "tensor")), \(Format.bytes(result.writtenBytes)) of \
      \(Format.bytes(result.totalBytes)), verified before and after
        untouched   \(Format.counted(untouched, "tensor")), \(rest)\(result.sideFileSummary.modelLine)
        root        \(result.to.hex)\(result.unverifiedTensors == 0 ? "" : ", if the untouched tensors match the patch")
        provenance  \(result.provenancePath.printable)
      """
  }
}

extension RebuildResult {
  var json: JSON {
    JSON.dictionary([
      "output": .string(path), "provenance": .string(provenancePath), "base": .string(state.base.hex),
      "target": .string(state.root.hex), "patches": state.json["patches"], "touched_tensors": JSON(touchedTensors),
      "touched_bytes": JSON(touchedBytes),
      "total_bytes": JSON(totalBytes), "unverified_tensors": JSON(unverifiedTensors),
      "files_exact": .bool(isFilesExact),
      "side_files_kept": .array(sideFilesKept.map { .string($0) }), "left_out": .array(leftOut.map { .string($0) }),
    ]).adding(sideFileSummary.members)
  }

  func text(_ verb: String) -> String {
    let isKnown = unverifiedTensors == 0
    let untouched =
      isKnown
      ? "hashed too: all match the patch"
      : "\(Format.counted(unverifiedTensors, "tensor")) copied from the input, not verified (--full hashes them)"
    let files =
      !isFilesExact
      ? "in the input's file layout"
      : "byte for byte those the patch was made with" + (isKnown ? "" : ", if the untouched tensors match it")
    let applied = state.entries.map { entry in
      ([entry.text] + (entry.stack?.memberLines ?? []).map { "  " + $0 }).map(\.printable)
    }
    let what = applied.isEmpty ? "nothing: it is the base" : applied.joined().joined(separator: "\n              ")
    return """
      \(verb) \(path.printable)
        applied     \(what)
        rebuilt     \(Format.counted(touchedTensors, "tensor")) bit for bit, \(Format.bytes(touchedBytes)) of \
      \(Format.bytes(totalBytes))
        untouched   \(untouched)
        files       \(files)\(sideFileSummary.modelLine)
        root        \(state.root.hex)\(isKnown ? "" : ", if the untouched tensors match the patch")
        provenance  \(provenancePath.printable)
      """
  }

  func notes(_ common: CommonOptions) {
    common.notes(sideFilesKept: sideFilesKept)
    if !leftOut.isEmpty { common.note("not copied: \(leftOut.joined(separator: ", "))") }
  }
}

extension SideFileSummary {
  /// A line for the table of a patch's contents; empty if it changes no side file.
  var patchLine: String { text.map { "\nfiles     \($0.printable)" } ?? "" }

  /// A line for the table of what was done to a model; empty if no side file changed.
  var modelLine: String { text.map { "\n  side files  \($0.printable)" } ?? "" }
}

extension CommonOptions {
  func notes(_ findings: Findings) {
    for text in findings.texts { note(text) }
  }

  func notes(sideFilesKept names: [String]) {
    for text in Workspace.notes(sideFilesKept: names) { note(text) }
  }
}
