import ArgumentParser
import Kernel
import NIOCore
import Services

/// `stock user create`.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Makes people members of a tenant.",
        subcommands: [Create.self]
    )

    struct Create: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a member; a person without an account gets one with the password given."
        )

        @Option(name: .long, help: "The tenant's slug.")
        var tenant: String

        @Option(name: .long, help: "The person's e-mail address.")
        var email: String

        @Option(name: .long, help: "The person's name.")
        var name = ""

        @Option(name: .long, help: "owner, manager, cashier, stock_keeper or viewer.")
        var role: Role

        @Option(name: .long, help: "The password of a new account.")
        var password: String?

        @Option(name: .long, help: "A file that holds it; - is standard input.")
        var passwordFile: String?

        @Flag(name: .long, help: "Prints the member as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            guard let folded = Text.email(email) else {
                throw CommandFailure(.usage, "--email is '\(email)', no e-mail address")
            }
            // Somebody who has an account needs no password here.
            let secret =
                password == nil && passwordFile == nil
                ? nil : try SecretSource.read("password", value: password, file: passwordFile)
            let draft = MemberDraft(
                email: folded,
                name: try TextRule.name.read(name, of: "--name", isRequired: false),
                password: secret,
                role: role
            )
            let body = try await OperatorShop.run(try configuration.settings()) { operators in
                let id = try await operators.tenant(tenant)
                return try await operators.shop.identity.addMember(draft, operators.context(id)).body.text
            }
            print(json ? body : "\(folded) is \(role.rawValue) of \(tenant)")
        }
    }
}

extension Role: ExpressibleByArgument {}
