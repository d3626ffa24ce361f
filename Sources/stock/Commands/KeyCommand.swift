import ArgumentParser
import Kernel
import NIOCore
import Services

/// `stock key create|revoke`.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Makes and revokes API keys.",
        subcommands: [Create.self, Revoke.self]
    )

    struct Create: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Makes an API key; its secret is shown this once.")

        @OptionGroup var tenant: TenantOptions

        @Option(name: .long, help: "What the key is for.")
        var name: String

        @Option(
            name: .long,
            help: "What it may do, separated by commas: \(Scope.allCases.map(\.rawValue).joined(separator: ", "))."
        )
        var scopes: String

        @Flag(name: .long, help: "Prints the key as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            var granted: Set<Scope> = []
            for text in scopes.split(separator: ",") {
                guard let scope = Scope(rawValue: Text.trimmed(String(text))) else {
                    let known = Scope.allCases.map(\.rawValue).joined(separator: ", ")
                    throw CommandFailure(.usage, "--scopes names '\(text)'; accepted: \(known)")
                }
                granted.insert(scope)
            }
            let draft = APIKeyDraft(name: try TextRule.name.read(name, of: "--name"), scopes: granted)
            let body = try await OperatorShop.run(try configuration.settings()) { operators in
                let id = try await operators.tenant(tenant)
                return try await operators.shop.identity.createKey(draft, operators.context(id)).body.text
            }
            if json {
                print(body)
            } else if case .object(let key) = try JSONValue.parse(Array(body.utf8)),
                case .string(let id) = key["id"], case .string(let secret) = key["secret"]
            {
                print("key    \(id)\nsecret \(secret)")
            }
        }
    }

    struct Revoke: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Ends an API key.")

        @OptionGroup var tenant: TenantOptions

        @Argument(help: "The key's id.")
        var id: String

        @Flag(name: .long, help: "Prints one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            guard let key = APIKeyID(id) else { throw CommandFailure(.usage, "'\(id)' is no key's id") }
            try await OperatorShop.run(try configuration.settings()) { operators in
                let tenant = try await operators.tenant(tenant)
                _ = try await operators.shop.identity.revokeKey(key, operators.context(tenant))
            }
            print(json ? "{\"id\":\"\(key)\",\"revoked\":true}" : "key \(key) is revoked")
        }
    }
}
