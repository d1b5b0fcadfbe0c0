import Base

/// What `demo` says and runs.
struct DemoStory {
  enum Step {
    case say(String)
    /// A command line and its exit code.
    case run(String, expecting: Int32 = 0)
  }

  let opening: String
  let steps: [Step]

  /// On tensors of one layer of a real fine-tune, which come with vpatch.
  static func ofPair() throws -> DemoStory {
    func copy(_ name: String, as copy: String) throws -> Step {
      .run("cp \(Path.shellWord(try InstalledFiles.path("fixtures/pair/\(name).safetensors"))) \(copy)")
    }
    return DemoStory(
      opening: """
        The model is one layer of SmolLM2-135M-Instruct. It was tuned twice: its attention projections on a counting \
        task (AdamW, learning rate 2e-5, 150 steps), and its MLP.
        """,
      steps: [
        try copy("base", as: "base.safetensors"), try copy("tuned-sa-proj", as: "tuned.safetensors"),
        try copy("tuned-gate-up", as: "mlp.safetensors"),
        .say("Make a patch, and prove that only the attention projections changed:"),
        .run("vpatch create base.safetensors tuned.safetensors -o counting.vpatch --recipe sa-proj --name counting"),
      ] + there("base.safetensors", "tuned.safetensors", ending: ".safetensors") + wrongBase + [
        .say(
          "Another fine-tune of the same base changed the MLP. Make two patches, of its gate and its up projections:"),
        .run(
          "vpatch create base.safetensors mlp.safetensors -o gate.vpatch --only '.*gate_proj.weight' --drop-others -q"
            + " --name gate"),
        .run(
          "vpatch create base.safetensors mlp.safetensors -o up.vpatch --only '.*up_proj.weight' --drop-others -q"
            + " --name up"),
      ] + stacks("base.safetensors", ["counting@0.8", "gate", "up"], without: "gate", ending: ".safetensors"))
  }

  /// On a whole language model.
  static func ofModel(_ model: String) throws -> DemoStory {
    let data = Path.shellWord(Path.parent(try InstalledFiles.path("fixtures/training/counting.jsonl")))
    let question = "How many times is lamp in this list? shoe, lamp, cup, lamp, lamp"
    return DemoStory(
      opening: "The model is \(model). The demo does not change it.",
      steps: [
        .run("ln -s \(Path.shellWord(model)) base"),
        .say(
          """
          Train a patch: only the attention projections, on rows that teach counting. A suite is evaluated before and \
          after, and the results are recorded in the patch:
          """),
        .run(
          "vpatch train base --recipe sa-proj --data \(data)/counting.jsonl -o counting.vpatch --name counting"
            + " --steps 60 --batch 6 --lr 5e-5 --suite \(data)/suite.toml"),
        .say("Let the model answer without the patch and with it:"),
        .run("vpatch generate base '\(question)' --patch counting --both --max-tokens 40"),
        .say(
          "Check the patch against limits, in percentage points. The worse ends of the intervals count; 11 is undecided:"
        ),
        .run("vpatch gate counting --max-forgetting 10 --min-learning 10 || echo \"(exit code $?)\""),
        .say("Write a report about it:"), .run("vpatch report counting --base base -o report.html"),
      ] + there("base", "tuned", ending: "", makesTuned: true) + [
        .say("Train another patch of the same base, of the MLP's gate and up projections, for a few steps:"),
        .run(
          "vpatch train base --recipe gate-up --data \(data)/counting.jsonl -o mlp.vpatch --name mlp --steps 10"
            + " --batch 4 --lr 2e-5 --samples 0 -q"),
      ] + stacks("base", ["counting@0.8", "mlp"], without: "mlp", ending: ""))
  }

  // MARK: Parts

  /// Compares files byte for byte, and folders file by file, except the provenance that vpatch adds.
  private static func same(_ a: String, _ b: String, _ ending: String) -> Step {
    .run(
      ending.isEmpty
        ? "diff -r --exclude=vpatch.json \(a) \(b) && echo identical" : "cmp \(a) \(b) && echo identical")
  }

  /// To the tuned model and back.
  private static func there(_ base: String, _ tuned: String, ending: String, makesTuned: Bool = false) -> [Step] {
    var steps: [Step] = [.say("Show it:"), .run("vpatch show counting")]
    if makesTuned {
      steps += [
        .say("Apply it to the base, and make a patch from the result as from any fine-tune: it is the same patch:"),
        .run("vpatch apply \(base) counting -o \(tuned)"),
        .run("vpatch create \(base) \(tuned) -o again.vpatch --recipe sa-proj"),
      ]
    } else {
      steps += [
        .say("Apply it to the base. The result is the tuned model, byte for byte:"),
        .run("vpatch apply \(base) counting -o applied\(ending)"), same("applied\(ending)", tuned, ending),
      ]
    }
    let applied = makesTuned ? tuned : "applied\(ending)"
    return steps + [
      .say("Revert it. This needs only the model and the patch, not the base:"),
      .run("vpatch revert \(applied) counting -o reverted\(ending)"), same("reverted\(ending)", base, ending),
      .say("Show what the fine-tuning changed:"), .run("vpatch diff \(base) \(applied) --html change.html"),
    ]
  }

  /// One byte of a weight of `self_attn.q_proj` is another.
  private static let wrongBase: [Step] = [
    .say("A model that is not the base is refused, and nothing is written. Here one byte of one weight is another:"),
    .run("cp base.safetensors other.safetensors"),
    .run("printf X | dd of=other.safetensors bs=1 seek=900000 conv=notrunc status=none"),
    .run("vpatch apply other.safetensors counting -o wrong.safetensors", expecting: 3),
  ]

  /// A stack, in place, and one member taken out.
  private static func stacks(_ base: String, _ members: [String], without member: String, ending: String) -> [Step] {
    let live = "live\(ending)"
    let rest = members.filter { $0 != member }.joined(separator: " ")
    return [
      .say("Patches of one base can be combined in a stack, in any order:"),
      .run("vpatch stack new both --base \(base) \(members.joined(separator: " "))"),
      .say("Switch a copy of the base to this stack, in place. Only the tensors that change are read and written:"),
      .run("cp -rL \(base) \(live)"), .run("vpatch switch \(live) both"),
      .say("Take one member out. The model equals, byte for byte, one that never had it:"),
      .run("vpatch revert \(live) \(member)"), .run("vpatch apply \(base) \(rest) -o never\(ending) -q"),
      same(live, "never\(ending)", ending), .say("And back to the base:"), .run("vpatch revert \(live)"),
      same(live, base, ending),
    ]
  }
}
