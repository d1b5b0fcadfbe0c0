import TestModels
import Testing

/// A fault at every call that changes a file, below a model and below the store. The counts that this prints stand in
/// docs/design/in-place.md.
@Suite("Faults in the store", .serialized) struct StoreFaultTests {
  @Test("a failure or a kill at every call", arguments: StoreScene.Kind.allCases)
  func everyCall(kind: StoreScene.Kind) throws {
    let scene = try StoreScene(kind)
    let (count, complaints) = try FaultRun.everywhere(prepare: scene.lay, check: scene.complaint)
    print("faults: \(kind.rawValue): \(scene.calls) calls, \(count) faults")
    #expect(count > scene.calls)
    #expect(complaints == [])
  }
}
