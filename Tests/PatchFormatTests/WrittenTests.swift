import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

/// The patches in `fixtures/golden/written`, which an earlier build of vpatch wrote: what was written once must be read
/// for ever. The second reader reads the same ones (`spec/reader/tests/test_written.py`).
@Suite struct WrittenTests {
  static let folders = ["cast-and-keys", "classes", "dropped", "dtypes", "operations", "sharded", "vocabulary"]

  func open(_ folder: String) throws -> (patch: Patch, base: SafetensorsCheckpoint, target: SafetensorsCheckpoint) {
    func side(_ name: String) throws -> String {
      let path = Fixtures.path("golden/written/\(folder)/\(name)")
      return try PathKind.of(path) == .directory ? path : path + ".safetensors"
    }
    let target = try PathKind.of(side("result")) == .file ? side("result") : side("target")
    return try (
      Patch(path: Fixtures.path("golden/written/\(folder)/task.vpatch")), SafetensorsCheckpoint(path: side("base")),
      SafetensorsCheckpoint(path: target)
    )
  }

  @Test(arguments: folders) func bothDirections(folder: String) throws {
    let (patch, base, target) = try open(folder)
    #expect(patch.annex.base == FileLayout(of: base))
    #expect(patch.annex.target == FileLayout(of: target))
    for (direction, from, to) in [(Direction.forward, base, target), (.backward, target, base)] {
      #expect(try patch.wrongTensors(over: from, direction) == [])
      // The fingerprints that the patch promises are those of the other side's file.
      for tensor in patch.header.tensors {
        let promised = direction == .forward ? tensor.target : tensor.base
        let found = try to.tensor(named: tensor.name).map { try StoredTensor($0, in: to).fingerprint() }
        #expect(found == promised?.fingerprint, "\(tensor.name)")
      }
    }
  }

  @Test func theyUseEverything() throws {
    var operations: Set<TensorOperation> = []
    var coders: Set<String> = []
    var classes: Set<Int> = []
    for folder in Self.folders {
      let patch = try open(folder).patch
      for tensor in patch.header.tensors {
        operations.insert(tensor.operation)
        for chunk in tensor.chunks {
          let start = patch.payloadStart + chunk.offset
          let head = try patch.input.read(start..<start + min(chunk.stored, 2))
          coders.insert("\(chunk.role.rawValue)\(head[0])")
          if head[0] == Coder.ulp.rawValue { classes.insert(Int(head[1] & 3) + 1) }
        }
      }
    }
    #expect(operations == Set(TensorOperation.allCases))
    #expect(coders.isSuperset(of: ["d1", "d2", "d3", "d4", "b1", "t1"]), "\(coders)")
    #expect(classes.contains { $0 > 1 }, "\(classes)")
  }
}
