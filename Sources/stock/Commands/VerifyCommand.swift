import ArgumentParser
import Kernel
import Postgres
import Services

/// `stock verify`: every invariant of the shop, as SQL.
struct VerifyCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks every invariant of every tenant; status 0 if all hold."
    )

    @OptionGroup var configuration: ConfigurationOptions

    @Flag(name: .long, help: "Prints one JSON object.")
    var json = false

    func execute() async throws {
        let violations = try await DatabaseSession.onShop(try configuration.settings()) { postgres in
            try await Verification(postgres: postgres).run(deadline: .now + .seconds(3_600))
        }
        if json {
            var writer = JSONWriter()
            writer.object { writer in
                writer.name("violations")
                writer.array { writer in
                    for violation in violations {
                        writer.object { writer in
                            writer.member("invariant", violation.invariant)
                            writer.member("tenant", violation.tenant.map { Int($0.rawValue) })
                            writer.member("detail", violation.detail)
                        }
                    }
                }
            }
            print(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            for violation in violations {
                let tenant = violation.tenant.map { " tenant \($0)" } ?? ""
                print("\(violation.invariant)\(tenant): \(violation.detail)")
            }
            if violations.isEmpty { print("every invariant holds") }
        }
        if !violations.isEmpty { throw CommandFailure(.failed, nil) }
    }
}
