import ArgumentParser

@main
enum Program {
    static func main() async {
        await Interruption.watch { await Stock.main() }
    }
}

/// The command line of the service.
struct Stock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stock",
        abstract: "The backend of a shop: stock, sales, payments and balance for many tenants.",
        discussion: """
            Exit status: 0 done, 1 failed, 2 done with rejected rows, 64 bad usage, 78 bad configuration.
            """,
        version: Release.version,
        subcommands: [
            Serve.self, Migrate.self, TenantCommand.self, UserCommand.self, KeyCommand.self, ImportCommand.self,
            ExportCommand.self, VerifyCommand.self, DoctorCommand.self, Bench.self, CoherenceCommand.self,
        ]
    )
}

/// What this program is.
enum Release {
    static let version = "0.1.0"
}
