import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// What comes out infinite or NaN of finite numbers is counted.
@Suite("Not finite") struct NotFiniteTests {
  private let work = WorkOptions(threads: 2)

  /// Some elements at the edge of each dtype, beside odd ones: infinities and NaNs that were there before.
  private static func siblings() throws -> Siblings {
    var random = TestRandom(5)
    var base: [TestTensor] = []
    var tuned = [[TestTensor]](repeating: [], count: 3)
    for format in ReferenceFormat.all {
      func element() -> UInt64 {
        switch random.next() % 4 {
        case 0: format.odd[Int(random.next() % UInt64(format.odd.count))]
        case 1: format.rounded((random.next() % 2 == 0 ? 1 : -1) * format.largest * 0.75)
        default: format.rounded(Double(random.normal()))
        }
      }
      let length = 700
      let name = "\(format.name).edge"
      func tensor(_ elements: [UInt64]) -> TestTensor {
        TestTensor(name, format.name, [length], bytes: elements.bytes(width: format.width))
      }
      let elements = (0..<length).map { _ in element() }
      base.append(tensor(elements))
      for i in tuned.indices { tuned[i].append(tensor(elements.map { random.next() % 3 == 0 ? $0 : element() })) }
    }
    return try Siblings(base, tuned)
  }

  private func isFinite(_ element: UInt64, _ format: ReferenceFormat) -> Bool { format.number(element).isFinite }

  @Test(
    "counted by every method and kernel as by hand",
    arguments: [
      ("sum", [1, 1, 1]), ("sum", [1, 3, 0]), ("linear", [2, -1, 0.5]), ("ties density=0.7 lambda=3", [1, 1, 1]),
      ("dare density=0.5 seed=1", [1, 1, 1]), ("dare-ties density=0.6 lambda=1", [1, 2, 1]), ("slerp", [1, 1]),
      ("sum toward-base=0.25", [1, 1, 1]),
    ] as [(String, [Double])]) func counts(_ method: String, _ scales: [Double]) throws
  {
    let siblings = try Self.siblings()
    let stack = try siblings.stack(MergeMethod(text: method), scales)
    var all = 0
    for kernel in Kernel.allCases where kernel.isSupported {
      let merge = try siblings.merge(stack, kernel)
      for name in merge.touched {
        let format = ReferenceFormat.all.first { "\($0.name).edge" == name }!
        let result = try MergeElementTests.elements(merge.source(name) { siblings.source($0) }, format)
        var inputs = [try MergeElementTests.elements(siblings.source(name)!, format)]
        for contributor in merge.tensor(name)!.contributors {
          let tuned = siblings.tuned[siblings.patches.firstIndex { $0.identity == contributor.patch.identity }!]
          inputs.append(try MergeElementTests.elements(StoredTensor(tuned.tensor(named: name)!, in: tuned), format))
        }
        let expected = result.indices.count { i in
          !isFinite(result[i], format) && inputs.allSatisfy { isFinite($0[i], format) }
        }
        #expect(try merge.outcome(name) { siblings.source($0) }.notFinite == expected, "\(kernel) \(name)")
        all += expected
      }
    }
    #expect(all > 0 || method.hasPrefix("slerp"))
  }

  private func half(_ values: [Float16]) -> TestTensor { TestTensor("w", "F16", [values.count], values) }

  @Test("the composite tells it, and who takes one from the library") func composite() throws {
    let siblings = try Siblings(
      [half([60000, 1, 1, .infinity])],
      [[half([64992, 2, 1, 1])], [half([64000, 1, 2, .infinity])]])
    let stack = try siblings.stack(.sum, [1, 1])
    let library = try OpenPatches(
      siblings.patches, undoPath: siblings.folder["undo.vpatch"], scratchBeside: siblings.folder["s"])
    let steps = try [PatchStep].stack(stack, name: nil, over: ModelView(siblings.base), library, work)
    #expect(steps.findings.notFinite == [NotFinite(tensor: "w", count: 1)])
    #expect(
      steps.findings.texts
        == ["1 element of \"w\" is infinite or NaN, although all inputs are finite"])
    let undo = try Patch(path: siblings.folder["undo.vpatch"])
    #expect([NotFinite](of: undo) == steps.findings.notFinite)
    #expect(PatchStep(undo, .forward).findings == steps.findings)
    #expect([PatchStep(undo, .backward)].findings == Findings())
    // A patch that was tuned to an infinity is taken as it is.
    let single = try siblings.merge(siblings.stack(.sum, [1]))
    #expect(try single.notFinite(over: ModelView(siblings.base), work).isEmpty)
    #expect([NotFinite](of: siblings.patches[0]) == nil)
  }

  @Test("a patch that is moved to another base") func rebase() throws {
    let siblings = try Siblings([half([60000, 1, 5])], [[half([64992, 2, 6])]])
    let new = try SafetensorsCheckpoint(path: siblings.folder.file("new", [half([60992, 1, .infinity])]))
    let result = try Rebase(siblings.patches[0], from: siblings.base, onto: new, work)
      .write(to: siblings.folder["moved.vpatch"], name: nil)
    #expect(result.notFinite == [NotFinite(tensor: "w", count: 1)])
    #expect([NotFinite](of: try Patch(path: siblings.folder["moved.vpatch"])) == result.notFinite)
  }
}
