import Foundation
import TestModels
import Testing

/// The power fails after calls of a command, and any part of what was not durable by then is lost: what is written is
/// the old or the new, whole, and of the store nothing is lost. The counts that these print stand in
/// docs/design/in-place.md. `POWER_CUTS=20 swift test --filter PowerCutTests` cuts twenty times after every call.
@Suite("Power cuts") struct PowerCutTests {
  /// How many cuts after each call. Without, one after every call of few, and after some of many.
  private static let perCall = ProcessInfo.processInfo.environment["POWER_CUTS"].flatMap { Int($0) }

  @Test("of the store", arguments: PowerCutScene.ofStore) func store(plan: PowerCutScene.Plan) throws {
    try play(PowerCutScene(plan), cuts: 16)
  }

  @Test("of outputs and records", arguments: PowerCutScene.ofFiles) func files(plan: PowerCutScene.Plan) throws {
    try play(PowerCutScene(plan), cuts: 40)
  }

  /// What a killed process did is seen by the next one, whether it is durable or not; what that one confirms has to be.
  @Test("after a command that was killed and run again", arguments: PowerCutScene.repeatable)
  func again(plan: PowerCutScene.Plan) throws {
    let calls = try PowerCutScene(plan).cut.calls
    let names = calls.indices.filter { ["mkdir", "rename", "create"].contains(calls[$0].prefix { $0 != " " }) }
    var random = TestRandom(3)
    for i in names where Self.perCall != nil || i % 2 == names[0] % 2 {
      let scene = try PowerCutScene(plan, killedAfter: i + 1)
      for _ in 0..<(Self.perCall ?? 2) {
        try scene.cut.cut(after: scene.cut.calls.count, &random)
        let complaint = try scene.complaint(isDone: true, isThorough: false)
        #expect(complaint == nil, "killed after call \(i + 1), \(calls[i])")
      }
    }
    print("power cuts: \(plan.name), killed and run again: \(names.count) kills")
  }

  /// - Parameter cuts: how many at most, spread over the calls, where the environment does not say.
  private func play(_ scene: PowerCutScene, cuts: Int) throws {
    let calls = scene.cut.calls.count
    var random = TestRandom(UInt64(calls))
    let stride = Self.perCall == nil ? max(1, calls / cuts) : 1
    var count = 0
    for call in (0...calls).filter({ $0 % stride == 0 || $0 == calls }) {
      for _ in 0..<(Self.perCall ?? (calls < cuts / 2 || call == calls ? 2 : 1)) {
        try scene.cut.cut(after: call, &random)
        let left = try scene.folder.wholeTree().keys.sorted().joined(separator: " ")
        let complaint: String?
        do {
          complaint = try scene.complaint(isDone: call == calls, isThorough: count % 8 == 0 || call == calls)
        } catch { complaint = "\(error)" }
        count += 1
        let last = call == 0 ? "nothing" : scene.cut.calls[call - 1]
        #expect(complaint == nil, "after \(call) calls, the last \(last), of: \(left)")
      }
    }
    print("power cuts: \(scene.plan.name): \(calls) calls, \(count) cuts")
  }
}
