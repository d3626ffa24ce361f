import ArgumentParser
import Domain
import Foundation
import Kernel
import Postgres
import Services

/// `stock import products|sales FILE`.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes a CSV file over into a tenant.",
        subcommands: [Products.self, Sales.self]
    )

    /// What every kind of import is told.
    struct Options: ParsableArguments {
        @Argument(help: "The CSV file, compressed by gzip or not.")
        var file: String

        @OptionGroup var tenant: TenantOptions

        @Option(
            name: .long,
            help: "A JSON file that names the columns and formats; without it columns are named as fields."
        )
        var map: String?

        @Option(name: .long, help: "What a bad row does: skip leaves it out, abort leaves everything out.")
        var onError: ImportErrorPolicy = .skip

        @Flag(name: .long, help: "Checks everything and writes nothing.")
        var dryRun = false

        @Option(name: .long, help: "Where rejected rows go instead of FILE.rejected.csv.")
        var rejected: String?

        @Flag(name: .long, help: "Prints the figures as one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func mapping() throws -> ImportMapping {
            try map.map { try MappingFile.read($0) } ?? ImportMapping()
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

        @Option(name: .long, help: "The tender of every sale and refund: cash, card or transfer.")
        var paymentMethod: PaymentMethod = .cash

        @Option(name: .long, help: "Goes on with this import only, and with no other file's.")
        var resume: String?

        func validate() throws {
            if let resume, ImportID(resume) == nil { throw ValidationError("--resume: '\(resume)' is no import's id") }
        }

        func execute() async throws {
            let settings = try options.configuration.settings()
            let database = try settings.operatorDatabase()
            let mapping = try options.mapping()
            let isGzip = try FileChunks.isGzip(path: options.file)
            let rejected = try RejectedFile(importedFile: options.file, named: options.rejected)
            let display = ImportDisplay()
            let report: SalesImport.Report
            do {
                report = try await DatabaseSession.run(database, logger: try settings.commandLogger()) { postgres in
                    let choices = SalesImport.Options(
                        tenant: try await options.tenant.find(in: postgres),
                        mapping: mapping,
                        createsProducts: createProducts,
                        method: paymentMethod,
                        onError: options.onError,
                        isDryRun: options.dryRun,
                        resumes: resume.flatMap { ImportID($0) },
                        fileName: options.file.split(separator: "/").last.map(String.init) ?? options.file
                    )
                    let sales = SalesImport(postgres: postgres)
                    func take<Source: AsyncSequence>(
                        _ source: Source
                    ) async throws -> SalesImport.Report where Source.Element == [UInt8] {
                        try await sales.run(
                            source,
                            options: choices,
                            onReject: { try rejected.add($0) },
                            onProgress: { display.show($0) }
                        )
                    }
                    return isGzip
                        ? try await GzipChunks.with(path: options.file) { try await take($0) }
                        : try await take(FileChunks(path: options.file))
                }
                display.end()
                try rejected.close()
            } catch {
                display.end()
                try? rejected.close()
                throw options.failure(error, rejected)
            }
            print(options.json ? report.json : report.text(isDryRun: options.dryRun))
            if report.rejectedRows > 0 {
                StandardError.write("\(report.rejectedRows) rows were rejected; see \(rejected.path)\n")
                throw CommandFailure(.rejectedRows, nil)
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

        func execute() async throws {
            let settings = try options.configuration.settings()
            let mapping = try options.mapping()
            let isGzip = try FileChunks.isGzip(path: options.file)
            let rejected = try RejectedFile(importedFile: options.file, named: options.rejected)
            let report: ProductsImport.Report
            do {
                report = try await OperatorShop.run(settings) { operators in
                    let context = operators.context(try await operators.tenant(options.tenant))
                    let products = ProductsImport(shop: operators.shop)
                    func take<Source: AsyncSequence>(
                        _ source: Source
                    ) async throws -> ProductsImport.Report where Source.Element == [UInt8] {
                        try await products.run(
                            source,
                            options: ProductsImport.Options(
                                mapping: mapping,
                                onError: options.onError,
                                isDryRun: options.dryRun
                            ),
                            context: context,
                            onReject: { try rejected.add($0) }
                        )
                    }
                    return isGzip
                        ? try await GzipChunks.with(path: options.file) { try await take($0) }
                        : try await take(FileChunks(path: options.file))
                }
                try rejected.close()
            } catch {
                try? rejected.close()
                throw options.failure(error, rejected)
            }
            print(options.json ? report.json : report.text)
            if report.rejectedRows > 0 {
                StandardError.write("\(report.rejectedRows) rows were rejected; see \(rejected.path)\n")
                throw CommandFailure(.rejectedRows, nil)
            }
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
                "\(file): \(rows) rows were rejected, so nothing was imported; see \(rejected.path)"
            )
        case ImportFailure.conflict(let text), ImportFailure.notResumable(let text):
            CommandFailure(.failed, text)
        default:
            error
        }
    }
}

extension ImportErrorPolicy: ExpressibleByArgument {}
extension PaymentMethod: ExpressibleByArgument {}

extension SalesImport.Report {
    private var seconds: Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    private var linesPerSecond: Int { seconds > 0 ? Int(Double(rows) / seconds) : 0 }

    private static func name(_ kind: SaleRow.Kind) -> String {
        switch kind {
        case .sale: "sale_line"
        case .free: "free_line"
        case .goodsReturned: "return_line"
        }
    }

    /// The figures for people.
    func text(isDryRun: Bool) -> String {
        var lines = ["rows        \(rows)"]
        lines.append("accepted    \(rows - rejectedRows)")
        for kind in SaleRow.Kind.allCases {
            if let count = rowsByKind[kind] { lines.append("  \(Self.name(kind).padding(toWidth: 22))\(count)") }
        }
        lines.append("rejected    \(rejectedRows)")
        for (code, count) in rejected.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            lines.append("  \(code.rawValue.padding(toWidth: 22))\(count)")
        }
        lines.append(isDryRun ? "to write    \(applied)" : "written     \(applied)")
        lines.append("unchanged   \(unchanged)")
        if createdProducts > 0 { lines.append("products    \(createdProducts) created") }
        let tenths = Int((seconds * 10).rounded())
        lines.append("\(linesPerSecond) lines/s in \(tenths / 10).\(tenths % 10) s")
        return lines.joined(separator: "\n")
    }

    /// The figures for programs.
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("import", job?.description)
            writer.member("rows", rows)
            writer.name("accepted")
            writer.object { writer in
                for kind in SaleRow.Kind.allCases { writer.member(Self.name(kind), rowsByKind[kind] ?? 0) }
            }
            writer.name("rejected")
            writer.object { writer in
                for (code, count) in rejected.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                    writer.member(code.rawValue, count)
                }
            }
            writer.member("written", applied)
            writer.member("unchanged", unchanged)
            writer.member("created_products", createdProducts)
            writer.member("lines_per_second", linesPerSecond)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension ProductsImport.Report {
    /// The figures for people.
    fileprivate var text: String {
        var lines = ["rows        \(rows)"]
        lines.append("created     \(created)")
        lines.append("updated     \(updated)")
        lines.append("unchanged   \(unchanged)")
        lines.append("rejected    \(rejectedRows)")
        for (code, count) in rejected.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            lines.append("  \(code.rawValue.padding(toWidth: 22))\(count)")
        }
        return lines.joined(separator: "\n")
    }

    /// The figures for programs.
    fileprivate var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("rows", rows)
            writer.member("created", created)
            writer.member("updated", updated)
            writer.member("unchanged", unchanged)
            writer.name("rejected")
            writer.object { writer in
                for (code, count) in rejected.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                    writer.member(code.rawValue, count)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
