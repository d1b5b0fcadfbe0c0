// Makes a patch of a fine-tune, applies it to a copy of the base, and takes it off again.
//
//     PatchAndRevert BASE TUNED FOLDER

import VPatch

let arguments = CommandLine.arguments
guard arguments.count == 4 else { fatalError("usage: PatchAndRevert BASE TUNED FOLDER") }
let (base, tuned, folder) = (arguments[1], arguments[2], arguments[3])

let vpatch = PatchWorkspace(store: "\(folder)/store") { print("\($0.phase): \($0.done) of \($0.total) bytes") }
defer { PatchWorkspace.close() }

do {
  var options = CreationOptions()
  options.name = "task"
  let patch = try vpatch.create(base: base, tuned: tuned, output: "\(folder)/task.vpatch", options)
  print("\(patch.tensors.count) tensors, \(patch.fileBytes) bytes, recipe \(patch.recipe ?? "none")")

  let root = try vpatch.apply(["task"], to: base, output: "\(folder)/model.safetensors")
  guard root == patch.target else { fatalError("the result is another model") }

  let back = try vpatch.revert("\(folder)/model.safetensors")
  guard back == patch.base else { fatalError("the base did not come back") }
  print("applied and reverted, bit for bit")
} catch {
  print("failed (\(error.code)): \(error)")
}
