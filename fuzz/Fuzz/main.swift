// The parsers and decoders under libFuzzer: vpatch-fuzz TARGET [libFuzzer's arguments]. See fuzz/run.sh.
import Fuzzing
import Glibc

@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
  _ argc: UnsafeMutablePointer<CInt>, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_silgen_name("LLVMFuzzerMutate")
func mutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int) -> Int

nonisolated(unsafe) let targets = FuzzTargets()
nonisolated(unsafe) var target = FuzzTarget.safetensors

/// libFuzzer's own changes half of the time; the structured ones for the rest.
@_cdecl("LLVMFuzzerCustomMutator")
package func customMutator(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int, _ seed: UInt32) -> Int {
  var random = StructuredMutator(seed: UInt64(seed))
  guard target.form != .bytes, random.next() % 2 == 0 else { return mutate(data, size, maximum) }
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  let output: [UInt8]
  switch target.form {
  case .patch: output = random.patch(input)
  case .json: output = random.json(input)
  case .template: output = random.template(input)
  case .bytes, .headed:
    // The header's text as JSON, its length right again.
    guard size > 8 else { return mutate(data, size, maximum) }
    let length = input[..<8].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    let end = 8 + Int(min(length, UInt64(size - 8)))
    let text = random.json(Array(input[8..<end]))
    output = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + input[end...]
  }
  let count = min(output.count, maximum)
  for i in 0..<count { data[i] = output[i] }
  return count
}

func say(_ text: String) {
  _ = text.withCString { write(2, $0, strlen($0)) }
}

let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")
guard CommandLine.arguments.count > 1, let chosen = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
  say("vpatch-fuzz \(names) [libFuzzer's arguments]\n")
  exit(64)
}
target = chosen
var arguments = ([CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)).map { strdup($0) } + [nil]
var count = CInt(arguments.count - 1)
atexit {
  say("accepted \(targets.accepted), decoded \(targets.decoded)\n")
  // What lies behind the first check was never reached.
  if targets.accepted == 0 { _exit(1) }
}
let status = arguments.withUnsafeMutableBufferPointer { buffer in
  var argv = buffer.baseAddress!
  return withUnsafeMutablePointer(to: &argv) { pointer in
    runDriver(&count, pointer) { data, size in
      let bytes = UnsafeRawBufferPointer(start: data, count: size)
      targets.run(target, bytes)
      return 0
    }
  }
}
exit(status)
