import PatchFormat
import TestModels
import Testing

@testable import Model

/// Towers and projectors against transformers.
@Suite("Vision: parity with transformers") struct VisionParityTests {
  @Test("rows of tokens", arguments: VisionFixture.all) func features(name: String) throws {
    let fixture = try VisionFixture(name)
    let expected = try fixture.floats("features")
    let rows = try fixture.rows(fixture.pass())
    #expect(rows.count == expected.count)
    #expect(largestDifference(rows, expected) < 1e-4)
  }

  @Test("every gradient, kept or computed again", arguments: VisionFixture.all) func gradients(name: String) throws {
    for keeping in [LanguageModel.Keeping.activations, .inputs] {
      let fixture = try VisionFixture(name)
      for parameter in fixture.weights.parameters { parameter.beginTuning() }
      let pass = try fixture.pass()
      let rows = try fixture.rows(pass, keeping: keeping)
      #expect(largestDifference(rows, try fixture.floats("features")) < 1e-4)
      try pass.backward(gradient: Floats(fixture.floats("upstream")).start)
      let names = Set(fixture.gradientNames)
      #expect(names == Set(pass.model.parameters.map(\.name)))
      for parameter in fixture.weights.parameters {
        let gradient = parameter.tuning!.gradient.array
        guard names.contains(parameter.name) else {
          #expect(gradient.allSatisfy { $0 == 0 }, "\(parameter.name)")
          continue
        }
        let expected = try fixture.floats("grad." + parameter.name)
        #expect(relativeDistance(gradient, expected) < 1e-4, "\(parameter.name)")
        let largest = expected.map(abs).max()!
        #expect(largestDifference(gradient, expected) < 1e-4 * largest, "\(parameter.name)")
      }
    }
  }
}
