import ArgumentParser
import Cache
import Kernel
import NIOCore
import Postgres
import Services

/// `stock tenant create|list|export|import`.
struct TenantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant",
        abstract: "Makes, lists and moves tenants.",
        subcommands: [Create.self, List.self, TenantExportCommand.self, TenantImportCommand.self]
    )

    struct Create: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a tenant and its owner.",
            discussion: "An owner who has an account already keeps it: the password given must be that account's."
        )

        @Option(name: .long, help: "The shop's name.")
        var name: String

        @Option(name: .long, help: "Its short name: a-z, 0-9 and hyphens.")
        var slug: String

        @Option(name: .long, help: "Its currency, as EUR.")
        var currency: String

        @Option(name: .long, help: "Its time zone, as Europe/Berlin.")
        var timezone: String

        @Option(name: .long, help: "The owner's e-mail address.")
        var ownerEmail: String

        @Option(name: .long, help: "The owner's password; of the account if there is one.")
        var ownerPassword: String?

        @Option(name: .long, help: "A file that holds the owner's password; - is standard input.")
        var ownerPasswordFile: String?

        @Option(name: .long, help: "The owner's name.")
        var ownerName = ""

        @Flag(name: .long, help: "Prints the tenant as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            guard let foldedSlug = Text.slug(slug) else {
                throw CommandFailure(
                    .usage,
                    "--slug is '\(slug)'; accepted: 2 to 63 of a-z, 0-9 and hyphens inside, not digits alone"
                )
            }
            guard let email = Text.email(ownerEmail) else {
                throw CommandFailure(.usage, "--owner-email is '\(ownerEmail)', no e-mail address")
            }
            guard let currency = Currency(code: currency) else {
                throw CommandFailure(.usage, "--currency is '\(currency)'; accepted: an ISO 4217 code, as EUR")
            }
            let request = SignupRequest(
                tenantName: try TextRule.name.read(name, of: "--name"),
                slug: foldedSlug,
                email: email,
                password: try SecretSource.read("owner-password", value: ownerPassword, file: ownerPasswordFile),
                currency: currency,
                timezone: Text.trimmed(timezone),
                name: try TextRule.name.read(ownerName, of: "--owner-name", isRequired: false)
            )
            let (id, body) = try await OperatorShop.run(try configuration.settings()) { operators in
                let made = try await operators.shop.identity.createTenant(
                    request,
                    from: operators.origin,
                    deadline: operators.deadline
                )
                let context = operators.context(made)
                let answer = try await operators.shop.store.answer(
                    operators.shop.tenants.get(context.caller),
                    context
                )
                guard case .body(let body, _) = answer.content else { throw Problem.notFound }
                return (made, body.text)
            }
            print(json ? body : "tenant \(foldedSlug) is number \(id); \(email) owns it")
        }
    }

    struct List: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Lists every tenant.")

        @Flag(name: .long, help: "Prints one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            let bodies = try await OperatorShop.run(try configuration.settings()) { operators in
                try await operators.shop.identity.tenants(deadline: operators.deadline).map(\.text)
            }
            if json {
                print("{\"data\":[" + bodies.joined(separator: ",") + "]}")
                return
            }
            for body in bodies {
                guard case .object(let tenant) = try JSONValue.parse(Array(body.utf8)) else { continue }
                let texts = ["id", "slug", "status", "currency", "timezone", "name"].map { name in
                    switch tenant[name] {
                    case .string(let text): text
                    case .number(let text): text
                    default: ""
                    }
                }
                print(texts.joined(separator: "\t"))
            }
        }
    }
}
