import Foundation
import Fuzzing
import Testing

/// A short run of what `fuzz/run.sh` does at length: changed templates neither crash nor take long.
struct JinjaFuzzTests {
  @Test(.timeLimit(.minutes(2))) func changedTemplatesEndWell() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"
    let names = [
      "jinja/generation.jinja", "chat/qwen2.5/chat_template.jinja", "chat/llava-onevision/chat_template.jinja",
    ]
    let seeds = try names.map { Array(try Data(contentsOf: URL(filePath: "\(folder)/\($0)"))) }
    let targets = FuzzTargets()
    for i in 0..<1500 {
      var random = StructuredMutator(seed: UInt64(i))
      var input = seeds[i % seeds.count]
      for _ in 0...i % 3 { input = random.template(input) }
      input.withUnsafeBytes { targets.run(.jinja, $0) }
    }
    let accepted = targets.accepted
    #expect(accepted > 300)
  }
}
