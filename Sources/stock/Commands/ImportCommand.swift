import ArgumentParser
import Domain
import Foundation
import Kernel
import Postgres
import Services

/// `stock import KIND FILE`.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes a CSV or NDJSON file over into a tenant.",
        subcommands: [
            Products.self, Categories.self, Units.self, Customers.self, Suppliers.self, Stock.self, Prices.self,
            Sales.self, Payments.self, Purchases.self, Expenses.self,
        ]
    )

    /// What every kind of import is told.
    struct Options: ParsableArguments {
        @Argument(help: "The file, compressed by gzip or not.")
        var file: String

        @OptionGroup var tenant: TenantOptions

        @Option(
            name: .long,
            help: "A JSON file that names the columns and formats; without it columns are named as fields."
        )
        var map: String?

        @Option(name: .long, help: "csv: with a header (default); ndjson: a JSON object to a line.")
        var format: FileFormat?

        @Option(name: .long, help: "What a bad row does: skip leaves it out, abort leaves everything out.")
        var onError: ImportErrorPolicy = .skip

        @Option(
            name: .long,
            help: "Ends the import once so many rows were rejected; what was written until then stays."
        )
        var maxErrors: Int?

        @Flag(name: .long, help: "Checks everything and writes nothing.")
        var dryRun = false

        @Flag(name: .long, help: "Prints a mapping for the file and how rows would be read by it, and imports nothing.")
        var sniff = false

        @Option(name: .long, help: "Where rejected rows go instead of FILE.KIND.rejected.csv.")
        var rejected: String?

        @Flag(name: .long, help: "Prints the figures as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func validate() throws {
            if let maxErrors, maxErrors < 1 { throw ValidationError("--max-errors: a number from 1 on is needed") }
        }

        /// Proposes a mapping: it goes to standard output, so that a file can keep it, and what is to be looked at beside.
        private func propose(_ shape: ImportShape) async throws {
            let (sample, isWhole) = try await ImportedFile(path: file).sample(ImportSniffer.sampleBytes)
            do {
                let proposal = try ImportSniffer(shape).propose(sample, isWhole: isWhole)
                print(String(decoding: proposal.json, as: UTF8.self), terminator: "")
                for remark in proposal.remarks { StandardError.write("\(remark)\n") }
                StandardError.write("Its first rows would be read as\n")
                for line in try shape.preview(3, of: sample, proposal.mapping) { StandardError.write("  \(line)\n") }
            } catch {
                throw CommandFailure(.failed, "\(file): \(error)")
            }
        }

        func mapping() throws -> ImportMapping {
            var mapping = try map.map { try MappingFile.read($0) } ?? ImportMapping()
            if let format { mapping.format = format }
            return mapping
        }

        /// Imports the file and says what came of it.
        ///
        /// - Parameters:
        ///   - shape: what such a file holds.
        ///   - kind: what its rows are, as the command calls it.
        ///   - work: imports the bytes of the file, told where rejected rows go and who shows progress.
        ///   - describe: the figures as text and as JSON, and how many rows were refused.
        /// - Throws: `CommandFailure`, or what else keeps a command from running.
        fileprivate func run<Report: Sendable>(
            _ shape: ImportShape,
            of kind: String,
            _ work: (PostgresClient, ImportedFile, ImportMapping, RejectedFile, ImportDisplay) async throws -> Report,
            describe: (Report) -> (text: String, json: String, rejectedRows: Int)
        ) async throws {
            if sniff { return try await propose(shape) }
            let settings = try configuration.settings()
            let mapping = try mapping()
            let imported = try ImportedFile(path: file)
            let rejected = try RejectedFile(
                importedFile: file,
                kind: kind,
                format: mapping.format,
                mapping: map,
                named: self.rejected
            )
            let display = ImportDisplay()
            let result: Result<Report, any Error>
            do {
                result = .success(
                    try await DatabaseSession.onShop(settings) { postgres in
                        try await work(postgres, imported, mapping, rejected, display)
                    }
                )
            } catch {
                result = .failure(error)
            }
            display.end()
            // What was rejected until a signal came is not all; the same command finds it again.
            if case .failure(let interruption as Interruption) = result { throw failure(interruption, rejected) }
            try await imported.write(rejected, mapping, shape.fields)
            switch result {
            case .success(let report):
                let isCleared = try rejected.clear()
                let (text, object, rows) = describe(report)
                print(json ? object : text)
                if isCleared {
                    StandardError.write("no row was rejected: \(rejected.path) of an earlier run is removed\n")
                }
                if rows > 0 {
                    StandardError.write("\(rows) rows were rejected; see \(rejected.told)\n")
                    throw CommandFailure(.rejectedRows, nil)
                }
            case .failure(let interruption as ImportInterruption<Report>):
                let (text, object, _) = describe(interruption.report)
                print(json ? object : text)
                let rest = dryRun ? "nothing was written" : "what was written stays, and the same command goes on"
                StandardError.write("The import ended early; \(rest).\n")
                throw failure(interruption.cause, rejected)
            case .failure(let error):
                throw failure(error, rejected)
            }
        }
    }

    /// `stock import sales FILE`.
    struct Sales: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Imports sales and returns.",
            discussion: """
                Rows that share `sale` make one sale; a quantity below zero makes a return of that name. A sale that is \
                there already is left alone, so the same command may be repeated, also after a kill.
                Fields: \(SaleRowReader.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        @Flag(name: .long, help: "Makes products of SKUs that no product has.")
        var createProducts = false

        @Option(name: .long, help: "Sales of more than is on hand: allow records them, deny rejects them.")
        var oversell: Overselling = .allow

        @Option(
            name: .long,
            help:
                "The tender of sales and refunds where the file has no payment_method: the code of one of the shop's methods."
        )
        var paymentMethod: PaymentMethodCode = .cash

        @Option(name: .long, help: "Goes on with this import only, and with no other file's.")
        var resume: String?

        func validate() throws {
            if let resume, ImportID(resume) == nil { throw ValidationError("--resume: '\(resume)' is no import's id") }
        }

        func execute() async throws {
            try await options.run(.sales, of: "sales") { postgres, file, mapping, rejected, display in
                var choices = SalesImport.Options(
                    tenant: try await options.tenant.find(in: postgres),
                    mapping: mapping,
                    createsProducts: createProducts,
                    method: paymentMethod,
                    allowsOverselling: oversell == .allow,
                    onError: options.onError,
                    isDryRun: options.dryRun,
                    resumes: resume.flatMap { ImportID($0) },
                    fileName: options.file.split(separator: "/").last.map(String.init) ?? options.file
                )
                choices.maxErrors = options.maxErrors
                let sales = SalesImport(postgres: postgres)
                let chosen = choices
                func take<Source: AsyncSequence>(
                    _ source: Source
                ) async throws -> SalesImport.Report where Source.Element == [UInt8] {
                    try await sales.run(
                        source,
                        options: chosen,
                        onReject: { rejected.add($0) },
                        onProgress: { display.show($0) }
                    )
                }
                return file.isGzip
                    ? try await GzipChunks.with(path: file.path) { try await take($0) }
                    : try await take(FileChunks(path: file.path))
            } describe: { report in
                (report.text(isDryRun: options.dryRun), report.json, report.rejectedRows)
            }
        }
    }

    /// `stock import products FILE`.
    struct Products: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes and updates products.",
            discussion: """
                A row matches a product by external_id, else by sku, and makes one if none does; fields that are empty or not \
                there stay as they are.
                Fields: \(ProductRowReader.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        @Flag(name: .long, help: "Reads the status, too: what the file says is archived takes no history any more.")
        var status = false

        func execute() async throws {
            try await options.runRecords(.products) { $0.readsStatus = status }
        }
    }

    /// `stock import stock FILE`.
    struct Stock: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Brings what is on hand to what the file says.",
            discussion: """
                A row names a product by external_id, else by sku, and a location by its name, which may be left out where there is \
                one. What is missing or too much is moved, as an opening or an adjustment; `cost` is what each of the missing cost. \
                The same file again moves nothing.
                Fields: \(RecordsImport.Kind.stock.shape.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        func execute() async throws {
            try await options.runRecords(.stock) { _ in }
        }
    }

    /// `stock import prices FILE`.
    struct Prices: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives products the prices that the file says.",
            discussion: """
                A row names a product that there is by external_id, else by sku, and perhaps one of its packagings. The same file \
                again changes nothing, and products that it does not name keep their prices.
                Fields: \(RecordsImport.Kind.prices.shape.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        func execute() async throws {
            try await options.runRecords(.prices) { _ in }
        }
    }

    /// `stock import expenses FILE`.
    struct Expenses: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Records what was spent.",
            discussion: """
                A row is one expense, which external_id names: one that is there already is left alone, or rejected if it says \
                something else.
                Fields: \(RecordsImport.Kind.expenses.shape.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        func execute() async throws {
            try await options.runRecords(.expenses) { _ in }
        }
    }

    /// `stock import payments FILE`.
    struct Payments: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes what was paid for sales later.",
            discussion: """
                A row is one payment, which external_id names, for a sale, or for what a customer owes, the oldest first; never for \
                more than is due. One that is there already is left alone, or rejected if it says something else.
                Fields: \(RecordsImport.Kind.payments.shape.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        func execute() async throws {
            try await options.runRecords(.payments) { _ in }
        }
    }

    /// `stock import purchases FILE`.
    struct Purchases: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Records what was bought, and what of it came.",
            discussion: """
                Rows that share supplier and reference, and stand together, are one purchase, which came whole at its time. One \
                that is there already is left alone, or rejected if it has other lines.
                Fields: \(RecordsImport.Kind.purchases.shape.fields.joined(separator: ", ")).
                """
        )

        @OptionGroup var options: Options

        func execute() async throws {
            try await options.runRecords(.purchases) { _ in }
        }
    }

    /// `stock import categories FILE`.
    struct Categories: RecordsCommand {
        static let kind = RecordsImport.Kind.categories
        static let configuration = configured(
            "Makes and updates categories.",
            "`parent` is the name of the category that one lies in, which may stand behind it in the file."
        )

        @OptionGroup var options: Options
        @OptionGroup var mode: ModeOption
    }

    /// `stock import units FILE`.
    struct Units: RecordsCommand {
        static let kind = RecordsImport.Kind.units
        static let configuration = configured("Makes and updates units of measure.", nil)

        @OptionGroup var options: Options
        @OptionGroup var mode: ModeOption
    }

    /// `stock import customers FILE`.
    struct Customers: RecordsCommand {
        static let kind = RecordsImport.Kind.customers
        static let configuration = configured("Makes and updates customers.", nil)

        @OptionGroup var options: Options
        @OptionGroup var mode: ModeOption
    }

    /// `stock import suppliers FILE`.
    struct Suppliers: RecordsCommand {
        static let kind = RecordsImport.Kind.suppliers
        static let configuration = configured("Makes and updates suppliers.", nil)

        @OptionGroup var options: Options
        @OptionGroup var mode: ModeOption
    }
}

/// `--mode`.
struct ModeOption: ParsableArguments {
    @Option(name: .long, help: "upsert changes what is there already, insert rejects it.")
    var mode: ImportMode = .upsert
}

/// An import of records that have nothing below them.
protocol RecordsCommand: OperatorCommand {
    static var kind: RecordsImport.Kind { get }
    var options: ImportCommand.Options { get }
    var mode: ModeOption { get }
}

extension RecordsCommand {
    static func configured(_ abstract: String, _ note: String?) -> CommandConfiguration {
        CommandConfiguration(
            abstract: abstract,
            discussion: """
                A row is found by external_id, else by name, and makes one if there is none; fields that are empty or not there \
                stay as they are.\(note.map { " \($0)" } ?? "")
                Fields: \(kind.shape.fields.joined(separator: ", ")).
                """
        )
    }

    func execute() async throws {
        try await options.runRecords(Self.kind) { $0.insertsOnly = mode.mode == .insert }
    }
}

extension ImportCommand.Options {
    /// Imports a file of records.
    fileprivate func runRecords(
        _ kind: RecordsImport.Kind,
        _ choose: (inout RecordsImport.Options) -> Void
    ) async throws {
        try await run(kind.shape, of: kind.rawValue) { postgres, file, mapping, rejected, display in
            var options = RecordsImport.Options(
                kind: kind,
                tenant: try await tenant.find(in: postgres),
                mapping: mapping,
                onError: onError,
                isDryRun: dryRun
            )
            options.maxErrors = maxErrors
            choose(&options)
            let choices = options
            let records = RecordsImport(postgres: postgres)
            func take<Source: AsyncSequence>(
                _ source: Source
            ) async throws -> RecordsImport.Report where Source.Element == [UInt8] {
                try await records.run(
                    source,
                    options: choices,
                    onReject: { rejected.add($0) },
                    onProgress: { display.show($0) }
                )
            }
            return file.isGzip
                ? try await GzipChunks.with(path: file.path) { try await take($0) }
                : try await take(FileChunks(path: file.path))
        } describe: { report in
            (report.text(isDryRun: dryRun), report.json, report.rejectedRows)
        }
    }
}

/// The file of an import: read once to import it, and once more for its rejected rows.
private struct ImportedFile {
    let path: String
    let isGzip: Bool

    init(path: String) throws {
        self.path = path
        isGzip = try FileChunks.isGzip(path: path)
    }

    /// The first bytes, and whether they are all there are.
    func sample(_ count: Int) async throws -> (bytes: [UInt8], isWhole: Bool) {
        func take<Source: AsyncSequence>(
            _ source: Source
        ) async throws -> ([UInt8], Bool) where Source.Element == [UInt8] {
            var bytes: [UInt8] = []
            for try await chunk in source {
                bytes += chunk
                if bytes.count > count { return (Array(bytes.prefix(count)), false) }
            }
            return (bytes, true)
        }
        return isGzip
            ? try await GzipChunks.with(path: path) { try await take($0) } : try await take(FileChunks(path: path))
    }

    func write(_ rejected: RejectedFile, _ mapping: ImportMapping, _ fields: [String]) async throws {
        guard rejected.count > 0 else { return }
        if isGzip {
            try await GzipChunks.with(path: path) {
                try await rejected.write(from: $0, mapping: mapping, fields: fields)
            }
        } else {
            try await rejected.write(from: FileChunks(path: path), mapping: mapping, fields: fields)
        }
    }
}

extension ImportCommand.Options {
    /// What an import's error means to whoever typed the command.
    fileprivate func failure(_ error: any Error, _ rejected: RejectedFile) -> any Error {
        switch error {
        case ImportFailure.mapping(let fault):
            CommandFailure(.failed, "\(file): \(fault)")
        case ImportFailure.refused(let rows):
            CommandFailure(
                .rejectedRows,
                "\(file): \(rows) rows were rejected, so nothing was imported; see \(rejected.told)"
            )
        case ImportFailure.conflict(let text), ImportFailure.notResumable(let text):
            CommandFailure(.failed, text)
        case let limit as TooManyRejections:
            CommandFailure(
                .failed,
                "\(file): \(limit.rows) rows were rejected, which is too many; see \(rejected.told)"
            )
        case let interruption as Interruption:
            CommandFailure(
                interruption,
                dryRun
                    ? "nothing was written" : "what was written stays, and the same command again goes on from there"
            )
        default:
            error
        }
    }
}

extension ImportMode: ExpressibleByArgument {}
extension Overselling: ExpressibleByArgument {}
extension ImportErrorPolicy: ExpressibleByArgument {}
extension PaymentMethodCode: ExpressibleByArgument {}

/// What both kinds of figures are made of.
private struct Figures {
    let rows: Int
    let blankRows: Int
    let unusedColumns: [String]
    let rejected: [RowRejection.Code: Int]
    let duration: Duration

    private var seconds: Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    var rowsPerSecond: Int { seconds > 0 ? Int(Double(rows) / seconds) : 0 }

    /// The rejected rows by code.
    var rejectedLines: [String] {
        ["rejected    \(rejected.values.reduce(0, +))"]
            + rejected.sorted { $0.key.rawValue < $1.key.rawValue }.map { code, count in
                "  \(code.rawValue.padding(toWidth: 22))\(count)"
            }
    }

    var blankLines: [String] { blankRows > 0 ? ["blank       \(blankRows)"] : [] }

    /// What of the file was not looked at, and how fast the rest went.
    var lastLines: [String] {
        let shown = unusedColumns.prefix(20).joined(separator: ", ")
        let rest = unusedColumns.count > 20 ? " and \(unusedColumns.count - 20) more" : ""
        let tenths = Int((seconds * 10).rounded())
        return (unusedColumns.isEmpty ? [] : ["not read    \(shown)\(rest)"])
            + ["\(rowsPerSecond) rows/s in \(tenths / 10).\(tenths % 10) s"]
    }

    func writeRejected(_ writer: inout JSONWriter) {
        writer.name("rejected")
        writer.object { writer in
            for (code, count) in rejected.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                writer.member(code.rawValue, count)
            }
        }
    }

    func writeRest(_ writer: inout JSONWriter) {
        writer.member("blank", blankRows)
        writer.name("unused_columns")
        writer.array { writer in
            for column in unusedColumns { writer.string(column) }
        }
        writer.member("rows_per_second", rowsPerSecond)
    }
}

extension SalesImport.Report {
    private var figures: Figures {
        Figures(
            rows: rows,
            blankRows: blankRows,
            unusedColumns: unusedColumns,
            rejected: rejected,
            duration: duration
        )
    }

    private static func name(_ kind: SaleRow.Kind) -> String {
        switch kind {
        case .sale: "sale_line"
        case .free: "free_line"
        case .goodsReturned: "return_line"
        }
    }

    /// The figures for people.
    fileprivate func text(isDryRun: Bool) -> String {
        var lines = ["rows        \(rows)"] + figures.blankLines
        lines.append("accepted    \(rows - rejectedRows)")
        for kind in SaleRow.Kind.allCases {
            if let count = rowsByKind[kind], count > 0 {
                lines.append("  \(Self.name(kind).padding(toWidth: 22))\(count)")
            }
        }
        lines += figures.rejectedLines
        lines.append(isDryRun ? "to write    \(applied)" : "written     \(applied)")
        lines.append("unchanged   \(unchanged)")
        if createdProducts > 0 { lines.append("products    \(createdProducts) \(isDryRun ? "to create" : "created")") }
        return (lines + figures.lastLines).joined(separator: "\n")
    }

    /// The figures for programs.
    fileprivate var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("import", job?.description)
            writer.member("rows", rows)
            writer.name("accepted")
            writer.object { writer in
                for kind in SaleRow.Kind.allCases { writer.member(Self.name(kind), rowsByKind[kind] ?? 0) }
            }
            figures.writeRejected(&writer)
            writer.member("written", applied)
            writer.member("unchanged", unchanged)
            writer.member("created_products", createdProducts)
            figures.writeRest(&writer)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension RecordsImport.Report {
    private var figures: Figures {
        Figures(
            rows: rows,
            blankRows: blankRows,
            unusedColumns: unusedColumns,
            rejected: rejected,
            duration: duration
        )
    }

    /// The figures for people.
    fileprivate func text(isDryRun: Bool) -> String {
        var lines = ["rows        \(rows)"] + figures.blankLines
        lines.append(isDryRun ? "to create   \(created)" : "created     \(created)")
        lines.append(isDryRun ? "to update   \(updated)" : "updated     \(updated)")
        lines.append("unchanged   \(unchanged)")
        return (lines + figures.rejectedLines + figures.lastLines).joined(separator: "\n")
    }

    /// The figures for programs.
    fileprivate var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("rows", rows)
            writer.member("created", created)
            writer.member("updated", updated)
            writer.member("unchanged", unchanged)
            figures.writeRejected(&writer)
            figures.writeRest(&writer)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
