import Glibc
import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

/// Annotations may be written anew; nothing else of a patch changes by that.
@Suite struct AnnotationsTests {
  @Test func rewritingKeepsAllButTheTail() throws {
    let scratch = Scratch()
    let patch = try Patch(path: Fixtures.path("golden/accepted/ulp_classes_3.vpatch"))
    let notes = try JSON.parse(#"{"name":"neu","forgetting":[{"loss":1.5}],"of others":{"x":null}}"#)
    try patch.write(annotations: notes, to: scratch.file("new.vpatch"))
    let again = try Patch(path: scratch.file("new.vpatch"))
    #expect(again.annotations == notes)
    #expect(again.name == "neu")
    #expect(again.header == patch.header)
    #expect(again.identity == patch.identity)
    #expect(again.annex == patch.annex)
    let end = patch.payloadStart + patch.header.payloadBytes + patch.header.annex.stored
    #expect(try contents(again.path)[..<end] == contents(patch.path)[..<end])
    #expect(again.fileSize == end + 48 + notes.compact().utf8.count)
    #expect(scratch.entries == ["new.vpatch"])
  }

  @Test func ontoItself() throws {
    let scratch = Scratch()
    let path = scratch.write(try contents(Fixtures.path("golden/accepted/raw.vpatch")), as: "a.vpatch")
    let before = try Patch(path: path)
    try before.write(annotations: .object([]), to: path, replacing: true)
    #expect(try Patch(path: path).identity == before.identity)
    #expect(try Patch(path: path).annotations == .object([]))
    #expect(scratch.entries == ["a.vpatch"])
  }

  @Test func aChangedFileIsFoundOut() throws {
    let scratch = Scratch()
    var bytes = try contents(Fixtures.path("golden/accepted/raw.vpatch"))
    let patch = try Patch(path: scratch.write(bytes, as: "a.vpatch"))
    bytes[patch.payloadStart] ^= 1
    // Into the same file, as something that does not rename would.
    let file = try #require(fopen(patch.path, "r+"))
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    let base = try SafetensorsCheckpoint(path: Fixtures.path("golden/refused-on-decode/base.safetensors"))
    let error = try #require(refusal { _ = try patch.wrongTensors(over: base, .forward) })
    #expect(error.reason == "was changed while it was read")
  }
}
