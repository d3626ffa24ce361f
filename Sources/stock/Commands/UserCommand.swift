import ArgumentParser
import Kernel
import NIOCore
import Services

/// `stock user create|invite|passwd`.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Makes people members of a tenant, and helps who forgot a password.",
        subcommands: [Create.self, Invite.self, Passwd.self]
    )

    struct Create: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a member at once, with the password of a new account.",
            discussion: "Whoever has an account in use keeps its password and is invited: see `stock user invite`."
        )

        @OptionGroup var tenant: TenantOptions

        @Option(name: .long, help: "The person's e-mail address.")
        var email: String

        @Option(name: .long, help: "The person's name.")
        var name = ""

        @Option(name: .long, help: "owner, manager, cashier, stock_keeper or viewer.")
        var role: Role

        @Option(name: .long, help: "The password of the new account.")
        var password: String?

        @Option(name: .long, help: "A file that holds it; - is standard input.")
        var passwordFile: String?

        @Flag(name: .long, help: "Prints the member as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            let draft = MemberDraft(
                email: try UserCommand.address(email),
                name: try TextRule.name.read(name, of: "--name", isRequired: false),
                password: try SecretSource.read("password", value: password, file: passwordFile),
                role: role
            )
            let body = try await OperatorShop.run(try configuration.settings()) { operators in
                let id = try await operators.tenant(tenant)
                return try await operators.shop.identity.createMember(draft, operators.context(id)).body.text
            }
            print(json ? body : "\(draft.email) is \(role.rawValue) of tenant \(tenant)")
        }
    }

    struct Invite: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Invites somebody to be a member; the token is shown this once.",
            discussion: "Bring the token to the person, who accepts with it and a password. It is good for a week."
        )

        @OptionGroup var tenant: TenantOptions

        @Option(name: .long, help: "The person's e-mail address.")
        var email: String

        @Option(name: .long, help: "owner, manager, cashier, stock_keeper or viewer.")
        var role: Role

        @Flag(name: .long, help: "Prints the invitation as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            let draft = InvitationDraft(email: try UserCommand.address(email), role: role)
            let body = try await OperatorShop.run(try configuration.settings()) { operators in
                let id = try await operators.tenant(tenant)
                return try await operators.shop.identity.invite(draft, operators.context(id)).body.text
            }
            if json {
                print(body)
            } else if case .object(let invitation) = try JSONValue.parse(Array(body.utf8)),
                case .string(let token) = invitation["invitation_token"],
                case .string(let expiry) = invitation["expires_at"]
            {
                print("token  \(token)\nuntil  \(expiry)")
            }
        }
    }

    struct Passwd: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets a password, or prints a token by which the person sets one.",
            discussion: """
                Without a password it prints a token for POST /v1/auth/reset, good once and for a day. Either way all sessions of \
                the person end when the password is set.
                """
        )

        @Option(name: .long, help: "The person's e-mail address.")
        var email: String

        @Option(name: .long, help: "The new password.")
        var password: String?

        @Option(name: .long, help: "A file that holds it; - is standard input.")
        var passwordFile: String?

        @Flag(name: .long, help: "Prints one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func execute() async throws {
            let email = try UserCommand.address(email)
            let password =
                password == nil && passwordFile == nil
                ? nil : try SecretSource.read("password", value: password, file: passwordFile)
            let token = try await OperatorShop.run(try configuration.settings()) { operators -> String? in
                let identity = operators.shop.identity
                guard let password else {
                    return try await identity.openReset(
                        of: email,
                        from: operators.origin,
                        deadline: operators.deadline
                    )
                }
                try await identity.setPassword(
                    of: email,
                    to: password,
                    from: operators.origin,
                    deadline: operators.deadline
                )
                return nil
            }
            if json {
                var writer = JSONWriter()
                writer.object { writer in
                    writer.member("email", email)
                    writer.member("reset_token", token)
                }
                print(String(decoding: writer.bytes, as: UTF8.self))
            } else {
                print(token.map { "token  \($0)" } ?? "the password of \(email) is set; all sessions have ended")
            }
        }
    }

    fileprivate static func address(_ text: String) throws -> String {
        guard let folded = Text.email(text) else {
            throw CommandFailure(.usage, "--email is '\(text)', no e-mail address")
        }
        return folded
    }
}

extension Role: ExpressibleByArgument {}
