import ArgumentParser
import Foundation
import Kernel
import Postgres
import Services

/// `stock migrate up|status|plan`.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Applies sql/ to the database, as the role of DATABASE_OWNER_URL.",
        subcommands: [Up.self, Status.self, Plan.self]
    )

    struct Options: ParsableArguments {
        @OptionGroup var configuration: ConfigurationOptions

        @Option(name: .long, help: "The folder of migrations, if it is not found beside the program.")
        var sql: String?

        func run<Value: Sendable>(_ body: @Sendable (Migrator) async throws -> Value) async throws -> Value {
            let settings = try configuration.settings()
            let database = try settings.ownerDatabase()
            let password = try settings.applicationPassword()
            let folder = try SQLFolder.find(sql)
            return try await DatabaseSession.run(database, logger: try settings.commandLogger()) { postgres in
                try await body(Migrator(postgres: postgres, folder: folder, applicationPassword: password))
            }
        }
    }

    private static var deadline: ContinuousClock.Instant { .now + .seconds(3_600) }

    struct Up: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Applies what is missing.")

        @OptionGroup var options: Options

        func execute() async throws {
            let applied = try await options.run { migrator in
                try await migrator.up(deadline: Migrate.deadline) { line in
                    print(line)
                    // Into a file or pipe, too: a migration may take minutes.
                    fflush(nil)
                }
            }
            if applied.isEmpty { print("nothing to apply") }
        }
    }

    struct Status: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Says where each migration stands.")

        @OptionGroup var options: Options

        func execute() async throws {
            for status in try await options.run({ try await $0.status(deadline: Migrate.deadline) }) {
                switch status.state {
                case .applied(let time): print("\(status.fileName)  applied \(time)")
                case .pending: print("\(status.fileName)  pending")
                case .changed: print("\(status.fileName)  changed since it was applied")
                case .unknown: print("\(status.fileName)  applied by a newer version")
                }
            }
        }
    }

    struct Plan: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Says what `up` would do.")

        @OptionGroup var options: Options

        func execute() async throws {
            let steps = try await options.run { try await $0.plan(deadline: Migrate.deadline) }
            for step in steps { print(step) }
            if steps.isEmpty { print("nothing to do") }
        }
    }
}
