import Crypto

/// Reads a tenant's file, no faster than its rows are taken, and keeps none of them.
///
/// Anybody may have written it: what a line may have is bounded, and rows are handed on as they stand, for the server to read.
final class TenantFileReader<Source: AsyncSequence> where Source.Element == [UInt8] {
    private var source: Source.AsyncIterator
    private var buffer: [UInt8] = []
    private var place = 0
    /// Bytes of the row that has begun; 0 where one begins.
    private var rowBytes = 0
    private var whole = SHA256()
    private var rowsHash = SHA256()

    /// Rows of the table so far.
    private(set) var rows = 0
    /// What kept the rows from being read, as a COPY tells only that something did.
    private(set) var failure: (any Error)?

    init(_ source: Source) { self.source = source.makeAsyncIterator() }

    /// The checksum of all that was read so far.
    var digest: SHA256.Digest { whole.finalize() }
    /// The checksum of the table's rows.
    var rowsDigest: SHA256.Digest { rowsHash.finalize() }

    /// The next line, with its end.
    ///
    /// - Throws: ``TenantFileFault`` if there is none, or it is too long.
    func line() async throws -> [UInt8] {
        var seen = place
        while true {
            if let newline = buffer[seen...].firstIndex(of: UInt8(ascii: "\n")) { return take(through: newline) }
            seen = buffer.count - place
            guard seen < TenantFile.longestLine else {
                throw TenantFileFault("a line of it is too long to be one of ours")
            }
            guard try await fill() else { throw Self.cutOff }
        }
    }

    /// Whether nothing is left.
    func isAtEnd() async throws -> Bool {
        if place < buffer.count { return false }
        return try await !fill()
    }

    /// Begins the rows of a table.
    func beginRows() {
        rows = 0
        rowBytes = 0
        rowsHash = SHA256()
    }

    /// The next bytes of the table's rows, cut anywhere; nil once their end was read.
    ///
    /// - Throws: ``TenantFileFault`` if they do not end, or one is too long.
    fileprivate func nextRows() async throws -> [UInt8]? {
        do {
            return try await readRows()
        } catch {
            failure = error
            throw error
        }
    }

    private func readRows() async throws -> [UInt8]? {
        while rowBytes == 0, buffer.count - place < TenantFile.end.count {
            guard try await fill() else { throw Self.cutOff }
        }
        if rowBytes == 0, isAtRowsEnd(place) {
            _ = take(through: place + TenantFile.end.count - 1)
            return nil
        }
        if place == buffer.count {
            guard try await fill() else { throw Self.cutOff }
        }
        // Whole rows as far as there are any, and what there is of the next.
        var next = place
        while let newline = buffer[next...].firstIndex(of: UInt8(ascii: "\n")) {
            guard rowBytes + newline - next < TenantFile.longestRow else { throw Self.tooLong }
            next = newline + 1
            rows += 1
            rowBytes = 0
            // Whether the end follows is seen in the bytes behind.
            if buffer.count - next < TenantFile.end.count || isAtRowsEnd(next) { break }
        }
        if next == place || rowBytes > 0 {
            rowBytes += buffer.count - next
            guard rowBytes < TenantFile.longestRow else { throw Self.tooLong }
            next = buffer.count
        }
        let bytes = take(through: next - 1)
        rowsHash.update(data: bytes)
        return bytes
    }

    private func isAtRowsEnd(_ place: Int) -> Bool {
        buffer[place...].prefix(TenantFile.end.count).elementsEqual(TenantFile.end)
    }

    private func take(through last: Int) -> [UInt8] {
        let taken = Array(buffer[place...last])
        place = last + 1
        whole.update(data: taken)
        return taken
    }

    /// Adds the next portion to what is left; false at the end.
    private func fill() async throws -> Bool {
        guard let portion = try await source.next(isolation: #isolation) else { return false }
        buffer.removeFirst(place)
        place = 0
        buffer += portion
        return true
    }

    private static var cutOff: TenantFileFault { TenantFileFault("it ends before its end: it was cut off") }
    private static var tooLong: TenantFileFault { TenantFileFault("a row of it is too long to be one of ours") }
}

/// The rows of a table as COPY takes them, pulled from a reader.
struct TenantRows<Source: AsyncSequence>: AsyncSequence, AsyncIteratorProtocol where Source.Element == [UInt8] {
    let reader: TenantFileReader<Source>
    /// Told after each portion.
    let onProgress: (Int) -> Void

    func makeAsyncIterator() -> Self { self }

    func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
        let bytes = try await reader.nextRows()
        onProgress(reader.rows)
        return bytes
    }
}
