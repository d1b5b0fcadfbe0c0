import Base
import HTTP
import PatchFormat

/// Changes the weights of a running server by a patch, or says what is in.
package struct ServerSwap: Sendable {
  package let server: any InferenceServer
  private let client: HTTPClient

  /// Finds out what serves at an address.
  /// - Throws: `refused` for another server; `io` where there is none.
  package init(_ url: String, _ client: HTTPClient) throws {
    server = try InferenceServers.find(url, client)
    self.client = client
  }

  package struct Result: Sendable {
    package let state: ServerState
    /// Time of the change itself, and of the whole with the check and with waiting for requests in flight, in seconds.
    package let changeSeconds: Double
    package let seconds: Double
    /// What the server says of itself.
    package let facts: [JSON.Member]
  }

  /// What a server is given for a patch as typed, and the identity of the patch where it is known here.
  package struct Source: Sendable {
    package let text: String
    package let identity: ContentDigest?

    /// A file of this machine is verified whole, before the server is asked for anything, and sent as an absolute path.
    /// Another text is sent as it is: a name in the server's store, or a path on its machine.
    /// - Throws: `invalid` for a file that is no patch, or a damaged one; `io`.
    package init(_ text: String, threads: Int) throws {
      guard try PathKind.of(text) != .missing else {
        (self.text, identity) = (text, nil)
        return
      }
      self.text = try Path.absolute(text)
      identity = try Patch(path: text, threads: threads).identity
    }
  }

  /// - Parameter verify: which tensors the server compares with what its patches record.
  /// - Throws: as `InferenceServer.ask`.
  package func status(_ verify: SwapRequest.Verify) throws -> Result {
    let clock = ContinuousClock.now
    let state = try server.ask(SwapRequest.status(verify), client)
    return Result(state: state, changeSeconds: 0, seconds: clock.seconds, facts: try server.facts(client))
  }

  /// Checks a change on the server, and makes it.
  /// - Parameters:
  ///   - identity: of the patch to put in; nil where it is only known by name.
  ///   - isAborting: end the requests in flight; otherwise wait for them.
  ///   - willChange: called just before the weights are changed, which is not interrupted any more.
  /// - Throws: what the server reports; `refused` where it has another patch under that name; `io`.
  package func change(
    _ request: SwapRequest, identity: ContentDigest? = nil, isAborting: Bool = false,
    willChange: @Sendable () throws -> Void = {}
  ) throws -> Result {
    let clock = ContinuousClock.now
    let expected = try server.ask(request.check, client)
    if let reason = expected.reason { throw VPatchError(.refused, server.url, reason) }
    if let identity, let found = expected.weightVersion, found != identity.hex {
      throw VPatchError(
        .refused, server.url, "has another patch at that path: \(found.prefix(12)), not \(identity.short)",
        remedy: "copy the patch to the server's machine, and give its path there")
    }
    let (state, changeSeconds) = try server.change(
      request, expected: expected, isAborting: isAborting, client, willChange: willChange)
    return Result(
      state: state, changeSeconds: changeSeconds, seconds: clock.seconds, facts: (try? server.facts(client)) ?? [])
  }
}

extension ContinuousClock.Instant {
  /// Time since then, in seconds.
  var seconds: Double {
    let passed = duration(to: .now).components
    return Double(passed.seconds) + Double(passed.attoseconds) / 1e18
  }
}

extension VPatchError {
  /// The command was interrupted before it changed a server's weights.
  package static func interruptedSwap(_ url: String) -> VPatchError {
    VPatchError(
      .io, url, "goes on with the weights that it had: the command was interrupted", remedy: "run it again")
  }
}
