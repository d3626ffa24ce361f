import ArgumentParser
import Domain
import Foundation
import Kernel
import Postgres
import Services

/// `stock export KIND`.
struct ExportCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes everything of a kind out, as CSV or an object to a line.",
        discussion: """
            Kinds: \(ExportKind.allCases.map(\.rawValue).joined(separator: ", ")).
            Rows are of one moment and go to standard output, or by -o into a file that is there once it is whole. What can be \
            imported has the columns that `stock import` reads, so that it goes in again as it is. Cells that begin like formulas \
            stand behind an apostrophe, which an import takes off.
            Exit status 130 and 143 after a signal, 141 if nobody reads what is written.
            """
    )

    @Argument(help: "What is exported.")
    var kind: ExportKind

    @OptionGroup var tenant: TenantOptions

    @Option(name: .long, help: "csv: RFC 4180 with a header; ndjson: an object to a line.")
    var format: FileFormat = .csv

    @Option(name: .shortAndLong, help: "A file instead of standard output.")
    var output: String?

    @Flag(name: .long, help: "Ends each row in its place, by which an export goes on.")
    var cursor = false

    @Option(name: .long, help: "Goes on behind the row with this cursor, without a header.")
    var after: String?

    @Flag(name: .long, help: "Begins CSV with a byte order mark, by which spreadsheets tell UTF-8.")
    var bom = false

    @OptionGroup var configuration: ConfigurationOptions

    func execute() async throws {
        let settings = try configuration.settings()
        let request = try ExportRequest(
            kind,
            format: format,
            showsCursor: cursor,
            hasByteOrderMark: bom,
            after: after
        )
        let sink = try ExportSink(path: output)
        do {
            let (rows, lastEvent) = try await DatabaseSession.onShop(settings) { postgres in
                let id = try await tenant.find(in: postgres)
                var lastEvent: Int64 = 0
                let rows = try await ExportService(postgres: postgres)
                    .run(request, of: id, deadline: .now + .seconds(6 * 3_600), opened: { lastEvent = $0 }) {
                        try sink.write($0)
                    }
                return (rows, lastEvent)
            }
            try sink.finish()
            if output != nil { StandardError.write("\(rows) rows, up to event \(lastEvent)\n") }
        } catch {
            sink.discard()
            throw Self.failure(error)
        }
    }

    private static func failure(_ error: any Error) -> any Error {
        switch error {
        case let interruption as Interruption:
            CommandFailure(CommandFailure(interruption).status, nil)
        case ExportFailure.notTaken:
            CommandFailure(
                .failed,
                "nobody took the rows for half a minute, so the database gave their snapshot up; write them to a file, by -o"
            )
        default:
            error
        }
    }
}

extension ExportKind: ExpressibleByArgument {}
extension FileFormat: ExpressibleByArgument {}
