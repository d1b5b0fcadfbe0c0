import TestModels
import Testing

/// A fault at calls that change a file, and at calls that look at one, below a model and below the store. With
/// `FAULTS=all` at every one: the counts that this prints then stand in docs/design/in-place.md.
@Suite("Faults in the store") struct StoreFaultTests {
  @Test("a failure or a kill at a call that changes something", arguments: StoreScene.Kind.allCases)
  func changes(kind: StoreScene.Kind) throws {
    let scene = try StoreScene(kind)
    let (count, complaints) = try FaultRun.everywhere(stride: 5, prepare: scene.lay, check: scene.complaint)
    print("faults: \(kind.rawValue): \(scene.calls) calls, \(count) faults")
    #expect(count * 5 > scene.calls)
    #expect(complaints == [])
  }

  @Test("a look that fails", arguments: StoreScene.Kind.allCases)
  func looks(kind: StoreScene.Kind) throws {
    let scene = try StoreScene(kind)
    let (count, complaints) = try FaultRun.everywhere(.looks, stride: 37, prepare: scene.lay, check: scene.complaint)
    print("faults: \(kind.rawValue), looks: \(count) faults")
    #expect(count > 3)
    #expect(complaints == [])
  }
}
