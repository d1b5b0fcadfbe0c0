import Base
import PatchFormat
import Testing

/// A patch of which anything is missing or changed is refused when it is opened.
@Suite struct DamageTests {
  static let patches = ["ulp.vpatch", "annotations_any_json.vpatch"]

  @Test(arguments: patches) func everyTruncation(name: String) throws {
    let scratch = Scratch()
    let whole = try contents(Fixtures.path("golden/accepted/\(name)"))
    for length in 0..<whole.count {
      let path = scratch.write(Array(whole[..<length]), as: "cut.vpatch")
      let error = try #require(refusal("the first \(length) bytes") { _ = try Patch(path: path) })
      #expect(error.code == .invalid)
      #expect(
        error.reason.contains("cut short") || (length < 4 && error.reason.contains("not a vpatch file")),
        "\(length): \(error)")
    }
    scratch.write(whole + [0], as: "cut.vpatch")
    #expect(refusal("a byte more") { _ = try Patch(path: scratch.file("cut.vpatch")) }?.code == .invalid)
  }

  @Test(arguments: patches) func everyBitFlipped(name: String) throws {
    let scratch = Scratch()
    let whole = try contents(Fixtures.path("golden/accepted/\(name)"))
    var accepted: [Int] = []
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      let path = scratch.write(bytes, as: "flipped.vpatch")
      do {
        _ = try Patch(path: path)
        accepted.append(bit)
      } catch let error as VPatchError {
        #expect(error.code == .invalid, "bit \(bit): \(error)")
      }
    }
    #expect(accepted == [])
  }
}
