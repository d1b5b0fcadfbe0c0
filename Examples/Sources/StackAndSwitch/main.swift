// Combines two patches of one base with scales, switches a model to the stack, and takes one patch out again.
//
//     StackAndSwitch MODEL FIRST.vpatch SECOND.vpatch STORE

import VPatch

let arguments = CommandLine.arguments
guard arguments.count == 5 else { fatalError("usage: StackAndSwitch MODEL FIRST.vpatch SECOND.vpatch STORE") }
let (model, first, second) = (arguments[1], arguments[2], arguments[3])

let vpatch = PatchWorkspace(store: arguments[4])
defer { PatchWorkspace.close() }

do {
  let identities = try vpatch.add([first, second], tags: ["example"])
  let stack = try vpatch.newStack(
    "both", base: model, members: ["\(identities[0])@0.5", identities[1]],
    combinedBy: .ties(density: 0.8))
  print("stack \(stack.name), version \(stack.version): \(stack.method)")

  try vpatch.switchModel(model, to: "both")
  let now = try vpatch.model(model)
  print("the model has \(now.applied.map { $0.name ?? "a patch" }), consistent: \(now.isConsistent)")

  try vpatch.revert(model, .patch(identities[0]))
  print("without the first: \(try vpatch.model(model).applied.count) applied")
  try vpatch.revert(model)
  print("the base again")
} catch {
  print("failed (\(error.code)): \(error)")
  if case .needsRecovery = error.detail { print("recovered: \((try? vpatch.recover(model)) ?? false)") }
}
