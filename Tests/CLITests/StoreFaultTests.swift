import TestModels
import Testing

/// A fault at every call that changes a file, and at some that look at one, below a model and below the store. The
/// counts that this prints stand in docs/design/in-place.md.
@Suite("Faults in the store", .serialized) struct StoreFaultTests {
  @Test("a failure or a kill at every call", arguments: StoreScene.Kind.allCases)
  func everyCall(kind: StoreScene.Kind) throws {
    let scene = try StoreScene(kind)
    let (count, complaints) = try FaultRun.everywhere(prepare: scene.lay, check: scene.complaint)
    print("faults: \(kind.rawValue): \(scene.calls) calls, \(count) faults")
    #expect(count > scene.calls)
    #expect(complaints == [])
  }

  @Test("a look that fails, at every eleventh", arguments: StoreScene.Kind.allCases)
  func looks(kind: StoreScene.Kind) throws {
    let scene = try StoreScene(kind)
    let (count, complaints) = try FaultRun.everywhere(.looks, stride: 11, prepare: scene.lay, check: scene.complaint)
    print("faults: \(kind.rawValue), looks: \(count) faults")
    #expect(count > 10)
    #expect(complaints == [])
  }
}
