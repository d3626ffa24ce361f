import Crypto
import Domain
import Kernel

/// Turns the bytes of a sales file into rows for COPY, a portion at a time.
///
/// It reads no faster than the rows are taken and keeps no row: only one entry per document and per SKU.
final class SaleStager<Source: AsyncSequence> where Source.Element == [UInt8] {
    private var source: Source.AsyncIterator
    private let mapping: ImportMapping
    private let identity: ImportIdentity
    private let onReject: (RowRejection) throws -> Void
    private let onProgress: (Int) -> Void

    private var transcoder: UTF16Transcoder
    private var parser: ImportParser
    private var reader: SaleRowReader?
    private var writer = BinaryCopyWriter(capacity: 1 << 17)
    private var hash = SHA256()
    private var isFinished = false
    private var documentIDs: [EntityID] = []
    private var documentRows: [Int] = []
    private var hasStarted = false

    /// What kept the file from being read, since COPY tells only that something did.
    private(set) var failure: (any Error)?
    private(set) var grouping = SaleGrouping()
    /// Rows of the file, the header left out.
    private(set) var rows = 0
    private(set) var rowsByKind: [SaleRow.Kind: Int] = [:]

    init(
        source: Source,
        mapping: ImportMapping,
        identity: ImportIdentity,
        onReject: @escaping (RowRejection) throws -> Void,
        onProgress: @escaping (Int) -> Void
    ) {
        self.source = source.makeAsyncIterator()
        self.mapping = mapping
        self.identity = identity
        self.onReject = onReject
        self.onProgress = onProgress
        transcoder = UTF16Transcoder(encoding: mapping.encoding)
        parser = ImportParser(mapping, fields: SaleRowReader.fields)
    }

    /// Rows without any content, which were left out.
    var blankRows: Int { parser.blankRecords }
    /// The names of the columns that nothing is read from.
    var unusedColumns: [String] { (reader?.unusedColumns ?? []) + parser.unreadNames }

    /// SHA-256 of the file, once it was read to its end.
    var fileHash: [UInt8] { Array(hash.finalize()) }

    // MARK: Lines

    /// The next bytes for import_line, nil at the end.
    fileprivate func nextLines() async throws -> [UInt8]? {
        do {
            if !hasStarted {
                hasStarted = true
                writer.beginFile()
            }
            while !isFinished {
                if let chunk = try await source.next(isolation: #isolation) {
                    hash.update(data: chunk)
                    try parser.consume(transcoder.decode(chunk)) { try stage($0) }
                    onProgress(rows)
                } else {
                    try parser.consume(transcoder.finish()) { try stage($0) }
                    try parser.finish { try stage($0) }
                    guard reader != nil else { throw ImportMapping.Fault.emptyFile(mapping) }
                    isFinished = true
                    writer.endFile()
                    onProgress(rows)
                }
                if writer.bytes.count >= 1 << 16 { break }
            }
            return writer.bytes.isEmpty ? nil : writer.drain()
        } catch {
            failure = error
            throw error
        }
    }

    private func stage(_ record: borrowing FileRecord) throws {
        guard let reader else {
            reader = try SaleRowReader(mapping: mapping, header: record)
            return
        }
        rows += 1
        let row: SaleRow
        let place: SaleGrouping.Place
        do throws(RowRejection) {
            row = try reader.read(record)
            place = try grouping.place(row)
        } catch {
            if let name = reader.document(of: record) { grouping.reject(documentsNamed: name) }
            try onReject(error)
            return
        }
        rowsByKind[row.kind, default: 0] += 1
        if place.document == documentIDs.count {
            documentIDs.append(identity.document(grouping.documents[place.document]))
            documentRows.append(0)
        }
        let document = documentIDs[place.document]
        let index = documentRows[place.document]
        documentRows[place.document] = index + 1
        writer.beginRow(columns: 10)
        writer.field(Int32(clamping: place.document))
        writer.field(Int32(clamping: place.sku))
        writer.field(Int32(clamping: row.line))
        writer.field(millionths: row.quantity)
        writer.field(millionths: row.unitPrice)
        writer.field(ImportIdentity.part(.line, index, of: document))
        writer.field(ImportIdentity.part(.movement, index, of: document))
        writer.field(Int32(clamping: index + 1))
        if let discount = row.discount { writer.field(millionths: discount) } else { writer.null() }
        if let rate = row.taxRate { writer.field(millionths: rate) } else { writer.null() }
    }

    // MARK: Documents and SKUs

    /// The bytes for import_document, after the lines.
    func documents() -> PortionSequence {
        var writer = BinaryCopyWriter(capacity: 1 << 17)
        var portions: [[UInt8]] = []
        writer.beginFile()
        for (ordinal, document) in grouping.documents.enumerated() {
            let id = documentIDs[ordinal]
            writer.beginRow(columns: 13)
            writer.field(Int32(clamping: ordinal))
            writer.field(document.kind == .goodsReturned)
            writer.field(text: document.externalID)
            switch document.time {
            case .wallClock(let microseconds):
                writer.field(microsecondsSince1970: microseconds)
                writer.null()
            case .instant(let microseconds):
                writer.null()
                writer.field(microsecondsSince1970: microseconds)
            }
            writer.field(id)
            writer.field(ImportIdentity.part(.payment, 0, of: id))
            writer.field(ImportIdentity.part(.ledgerEntry, 0, of: id))
            if let method = document.method { writer.field(text: Array(method.rawValue.utf8)) } else { writer.null() }
            writer.field(grouping.isRejected(document))
            for text in [document.customer, document.register, document.location] {
                if text.isEmpty { writer.null() } else { writer.field(text: text) }
            }
            if writer.bytes.count >= 1 << 16 { portions.append(writer.drain()) }
        }
        writer.endFile()
        portions.append(writer.drain())
        return PortionSequence(portions: portions)
    }

    /// The bytes for import_tender, after the lines.
    func tenders() -> PortionSequence {
        var writer = BinaryCopyWriter(capacity: 1 << 17)
        var portions: [[UInt8]] = []
        writer.beginFile()
        for (ordinal, document) in grouping.documents.enumerated() {
            for (place, tender) in document.tenders.enumerated() {
                writer.beginRow(columns: 5)
                writer.field(Int32(clamping: ordinal))
                if let method = tender.method { writer.field(text: Array(method.rawValue.utf8)) } else { writer.null() }
                writer.field(millionths: tender.amount)
                writer.field(ImportIdentity.part(.payment, place, of: documentIDs[ordinal]))
                writer.field(ImportIdentity.part(.ledgerEntry, place, of: documentIDs[ordinal]))
            }
            if writer.bytes.count >= 1 << 16 { portions.append(writer.drain()) }
        }
        writer.endFile()
        portions.append(writer.drain())
        return PortionSequence(portions: portions)
    }

    /// The bytes for import_sku, after the lines.
    func skus() -> PortionSequence {
        var writer = BinaryCopyWriter(capacity: 1 << 17)
        var portions: [[UInt8]] = []
        writer.beginFile()
        for (ordinal, sku) in grouping.skus.enumerated() {
            writer.beginRow(columns: 7)
            writer.field(Int32(clamping: ordinal))
            writer.field(text: sku.text)
            writer.field(Int32(clamping: sku.firstLine))
            writer.field(millionths: sku.firstPrice)
            writer.field(text: sku.name)
            writer.field(Int32(clamping: sku.nameLine))
            writer.field(identity.product(sku: sku.text, at: sku.firstTime))
            if writer.bytes.count >= 1 << 16 { portions.append(writer.drain()) }
        }
        writer.endFile()
        portions.append(writer.drain())
        return PortionSequence(portions: portions)
    }
}

/// The rows of a file as COPY takes them, pulled from a stager.
struct StagedLines<Source: AsyncSequence>: AsyncSequence, AsyncIteratorProtocol where Source.Element == [UInt8] {
    let stager: SaleStager<Source>

    func makeAsyncIterator() -> Self { self }

    func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? { try await stager.nextLines() }
}

/// Portions that are in memory already.
struct PortionSequence: AsyncSequence, AsyncIteratorProtocol {
    private var portions: IndexingIterator<[[UInt8]]>

    init(portions: [[UInt8]]) {
        self.portions = portions.makeIterator()
    }

    func makeAsyncIterator() -> Self { self }

    mutating func next() async -> [UInt8]? { portions.next() }
}
