import ArgumentParser

@main
struct Vpatch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "vpatch")
}
