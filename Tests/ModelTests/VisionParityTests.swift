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
    for keeping in [ActivationCheckpointing.activations, .inputs] {
      let fixture = try VisionFixture(name)
      for parameter in fixture.weights.parameters { parameter.beginTuning() }
      let pass = try fixture.pass()
      let rows = try fixture.rows(pass, keeping: keeping)
      #expect(largestDifference(rows, try fixture.floats("features")) < 1e-4)
      let upstream = Floats(try fixture.floats("upstream"))
      try withExtendedLifetime(upstream) { try pass.backward(gradient: upstream.start) }
      let names = Set(fixture.gradientNames)
      #expect(names == Set(pass.model.parameters.map(\.name)))
      for parameter in fixture.weights.parameters {
        let gradient = parameter.tuning!.gradient.array
        guard names.contains(parameter.name) else {
          #expect(gradient.allSatisfy { $0 == 0 }, "\(parameter.name)")
          continue
        }
        // The sum over keys of what the softmax gives back is 0: of a bias of keys only rounding is left.
        let expected = try fixture.floats("grad." + parameter.name)
        let size = expected.reduce(0) { $0 + Double($1 * $1) }.squareRoot()
        #expect(relativeDistance(gradient, expected) * size < 1e-4 * size + 2e-5, "\(parameter.name)")
        let largest = expected.map(abs).max()!
        #expect(largestDifference(gradient, expected) < 1e-4 * largest + 1e-5, "\(parameter.name)")
      }
    }
  }
}
