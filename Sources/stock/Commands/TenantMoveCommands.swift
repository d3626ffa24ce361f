import ArgumentParser
import Foundation
import Kernel
import Postgres
import Services

#if canImport(Glibc)
import Glibc
#endif

/// How long a whole tenant may take.
private let timeLimit = Duration.seconds(6 * 3_600)

/// `stock tenant export`.
struct TenantExportCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a whole tenant out, for another deployment.",
        discussion: """
            All rows are of one moment and go, compressed, to standard output, or by -o into a file that is there once it is whole. \
            Sessions, passwords and files on their way stay; `stock tenant import` says what becomes of the rest.
            The file holds all that the shop knows of its people and customers: keep it as you would a backup.
            Exit status 130 and 143 after a signal, 141 if nobody reads what is written.
            """
    )

    @OptionGroup var tenant: TenantOptions

    @Option(name: .shortAndLong, help: "A file instead of standard output; - is standard output.")
    var output: String?

    @OptionGroup var configuration: ConfigurationOptions

    func execute() async throws {
        let settings = try configuration.settings()
        let path = output == "-" ? nil : output
        guard path != nil || isatty(FileHandle.standardOutput.fileDescriptor) == 0 else {
            throw CommandFailure(.usage, "what is written is compressed and no text; name a file by -o")
        }
        let sink = try ExportSink(path: path, permissions: 0o600)
        do {
            let summary = try await DatabaseSession.onShop(settings) { postgres in
                let id = try await tenant.find(in: postgres)
                let export = TenantExport(postgres: postgres)
                return try await GzipOutput.with({ try sink.write($0) }) { give in
                    try await export.run(id, deadline: .now + timeLimit, give)
                }
            }
            try sink.finish()
            if path != nil {
                StandardError.write(
                    "\(summary.rows) rows of \(summary.tables) tables, up to event \(summary.lastEvent)\n"
                )
            }
        } catch {
            sink.discard()
            throw error
        }
    }
}

/// `stock tenant import`.
struct TenantImportCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes a whole tenant over that another deployment has written out.",
        discussion: """
            It comes in whole, as a new tenant, or not at all: every invariant is checked before anything is kept. Both databases have \
            the same migrations. It works as the role of DATABASE_OWNER_URL; other tenants need not wait.
            Members are known by their e-mail: who has an account here keeps it and its password, for others one is made that \
            `stock user passwd` opens. API keys and invitations go on once the number in them is the new tenant's.
            """
    )

    @Argument(help: "The file, compressed by gzip or not.")
    var file: String

    @Option(name: .long, help: "Its short name here, instead of the one it had.")
    var slug: String?

    @Option(name: .long, help: "The shop's name here, instead of the one it had.")
    var name: String?

    @Flag(name: .long, help: "Does and checks everything, and keeps nothing.")
    var dryRun = false

    @Flag(name: .long, help: "Prints the figures as one JSON object.")
    var json = false

    @OptionGroup var configuration: ConfigurationOptions

    func execute() async throws {
        let options = TenantImport.Options(
            slug: try slug.map { typed in
                guard let folded = Text.slug(typed) else {
                    throw CommandFailure(
                        .usage,
                        "--slug is '\(typed)'; accepted: 2 to 63 of a-z, 0-9 and hyphens inside, not digits alone"
                    )
                }
                return folded
            },
            name: try name.map { try TextRule.name.read($0, of: "--name") },
            isDryRun: dryRun
        )
        let clock = ContinuousClock()
        let start = clock.now
        let summary = try await take(options)
        let duration = clock.now - start
        print(json ? summary.json(duration) : summary.text(duration, isDryRun: dryRun))
    }

    private func take(_ options: TenantImport.Options) async throws -> TenantImport.Summary {
        let settings = try configuration.settings()
        let isGzip = try FileChunks.isGzip(path: file)
        let display = ImportDisplay()
        defer { display.end() }
        var summary: TenantImport.Summary?
        do {
            return try await DatabaseSession.asOwner(settings) { postgres in
                let tenants = TenantImport(postgres: postgres)
                func take<Source: AsyncSequence>(
                    _ source: Source
                ) async throws -> TenantImport.Summary where Source.Element == [UInt8] {
                    try await tenants.run(
                        source,
                        options: options,
                        deadline: .now + timeLimit,
                        onProgress: { display.show($0) }
                    )
                }
                let taken =
                    isGzip
                    ? try await GzipChunks.with(path: file) { try await take($0) }
                    : try await take(FileChunks(path: file))
                summary = taken
                return taken
            }
        } catch let interruption as Interruption {
            let isKept = summary != nil && !dryRun
            throw CommandFailure(
                interruption,
                isKept ? "it came too late: the tenant was imported" : "nothing was imported"
            )
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: any Error) -> any Error {
        switch error {
        case TenantImport.Failure.file(let fault):
            CommandFailure(.failed, "\(file): \(fault)")
        case TenantImport.Failure.schema(let file, let database):
            CommandFailure(
                .failed,
                """
                \(self.file): its rows are of migration \(file), and this database has \(database). Bring both to the same by \
                `stock migrate up`, and export it again.
                """
            )
        case TenantImport.Failure.table(let table, let state):
            CommandFailure(.failed, "\(file): the table \(table) does not take what it says (SQLSTATE \(state))")
        case TenantImport.Failure.refused(let sentence):
            CommandFailure(.failed, sentence)
        case TenantImport.Failure.violations(let violations):
            CommandFailure(
                .failed,
                (["\(file): what it holds does not hold together, so nothing was imported"]
                    + violations.prefix(10).map { "\($0.invariant): \($0.detail)" }).joined(separator: "\n")
            )
        case TenantImport.Failure.role:
            CommandFailure(
                .configuration,
                "A tenant is imported as the owner of the schema: name a role that may become stock_owner by DATABASE_OWNER_URL."
            )
        default:
            error
        }
    }
}

extension TenantImport.Summary {
    /// The figures for people, and what is to be done next.
    fileprivate func text(_ duration: Duration, isDryRun: Bool) -> String {
        let (seconds, attoseconds) = duration.components
        var lines = [
            isDryRun ? "tenant      \(slug), which could be imported" : "tenant      \(slug), number \(tenant)",
            "rows        \(rows) of \(tables) tables, up to event \(lastEvent); every invariant holds",
            "members     \(accountsKnown) had an account here, \(accountsMade) \(isDryRun ? "would get" : "got") one",
            "time        \(seconds).\(attoseconds / 100_000_000_000_000_000) s",
        ]
        if !isDryRun, accountsMade > 0 {
            lines.append("New accounts have no password: `stock user passwd --email ...` opens them one by one.")
        }
        return lines.joined(separator: "\n")
    }

    /// The figures for programs.
    fileprivate func json(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("tenant_id", Int(tenant.rawValue))
            writer.member("slug", slug)
            writer.member("name", name)
            writer.member("tables", tables)
            writer.member("rows", rows)
            writer.member("last_event", Int(lastEvent))
            writer.member("accounts_known", accountsKnown)
            writer.member("accounts_made", accountsMade)
            writer.member("milliseconds", Int(seconds) * 1_000 + Int(attoseconds / 1_000_000_000_000_000))
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
