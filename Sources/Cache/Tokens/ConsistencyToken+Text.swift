import Kernel

/// The token as the text of a header.
///
/// Base64url of: a version, the eight bytes of the namespace, then numbers of seven bits a byte (LEB128): the tenant, the
/// barrier and the writes as (xid, modules), the reads as (modules, xmax, running as distances). A few hundred characters.
extension ConsistencyToken {
    private static let version: UInt8 = 1
    /// Beyond this many bytes, read items forget which transactions were running.
    private static let byteLimit = 1100

    /// Reads the value of the header: a token, or several with commas between them, as that of the last answer and that of a stream.
    ///
    /// Empty stands for a client that begins. Nil for anything unreadable, or of another tenant: the request is to be answered by the database.
    ///
    /// - Parameters:
    ///   - header: the value as it was sent.
    ///   - tenant: whose request it is.
    package init?(parsing header: String, tenant: Int64) {
        guard header.utf8.contains(UInt8(ascii: ",")) else {
            self.init(one: header, tenant: tenant)
            return
        }
        self.init(tenant: tenant)
        let parts = header.split(separator: ",", maxSplits: Self.partLimit)
        guard parts.count <= Self.partLimit else { return nil }
        for part in parts {
            let words = part.split(separator: " ")
            guard words.count <= 1, let token = ConsistencyToken(one: String(words.first ?? ""), tenant: tenant) else {
                return nil
            }
            formUnion(token)
        }
    }

    private init?(one text: String, tenant: Int64) {
        self.init(tenant: tenant)
        if text.isEmpty { return }
        guard text.utf8.count <= Self.textLimit, let bytes = Base64URL.decode(text) else { return nil }
        var reader = NumberReader(bytes)
        guard reader.byte() == Self.version, let namespace = reader.word(),
            let sender = reader.number(), Int64(bitPattern: sender) == tenant
        else { return nil }
        self.namespace = namespace
        guard let barriers = reader.number(), barriers <= 1 else { return nil }
        if barriers == 1 {
            guard let item = reader.writeItem() else { return nil }
            if !item.modules.isEmpty { barrier = item }
        }
        guard let writes = reader.number(), writes <= UInt64(Self.writeLimit) else { return nil }
        for _ in 0..<writes {
            guard let item = reader.writeItem() else { return nil }
            add(write: item.xid, modules: item.modules)
        }
        guard let reads = reader.number(), reads <= UInt64(Module.allCases.count) else { return nil }
        for _ in 0..<reads {
            guard let modules = reader.modules(), let xmax = reader.number(), let count = reader.number(),
                count <= UInt64(Self.runningLimit)
            else { return nil }
            var running: [UInt64] = []
            var last: UInt64 = 0
            for _ in 0..<count {
                guard let distance = reader.number() else { return nil }
                let (xid, overflow) = last.addingReportingOverflow(distance)
                guard !overflow, xid < xmax, running.isEmpty || distance > 0 else { return nil }
                running.append(xid)
                last = xid
            }
            add(read: modules, SeenTransactions(xmax: xmax, running: running))
        }
        guard reader.isAtEnd else { return nil }
    }

    /// The value of the header.
    package var text: String {
        let bytes = encoded(withRunning: true)
        return Base64URL.encode(bytes.count <= Self.byteLimit ? bytes : encoded(withRunning: false))
    }

    private func encoded(withRunning: Bool) -> [UInt8] {
        var writer = NumberWriter()
        writer.bytes.append(Self.version)
        writer.append(word: namespace)
        writer.append(UInt64(bitPattern: tenant))
        writer.append(barrier == nil ? 0 : 1)
        for item in [barrier].compactMap({ $0 }) { writer.append(item) }
        writer.append(UInt64(writes.count))
        for item in writes { writer.append(item) }
        writer.append(UInt64(reads.count))
        for item in reads {
            writer.append(UInt64(item.modules.bits))
            writer.append(item.seen.xmax)
            let running = withRunning ? item.seen.running : []
            writer.append(UInt64(running.count))
            var last: UInt64 = 0
            for xid in running {
                writer.append(xid - last)
                last = xid
            }
        }
        return writer.bytes
    }
}

/// Writes numbers seven bits a byte.
private struct NumberWriter {
    var bytes: [UInt8] = []

    mutating func append(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func append(word: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
        }
    }

    mutating func append(_ item: ConsistencyToken.WriteItem) {
        self.append(item.xid)
        self.append(UInt64(item.modules.bits))
    }
}

/// Reads them again, and stops at whatever is not one.
private struct NumberReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt64? {
        var number: UInt64 = 0
        for position in 0..<10 {
            guard let byte = rest.popFirst() else { return nil }
            let bits = UInt64(byte & 0x7F)
            // The tenth byte has room for one bit.
            guard position < 9 || bits <= 1 else { return nil }
            number |= bits << UInt64(7 * position)
            if byte < 0x80 { return number }
        }
        return nil
    }

    mutating func word() -> UInt64? {
        var word: UInt64 = 0
        for _ in 0..<8 {
            guard let byte = rest.popFirst() else { return nil }
            word = word << 8 | UInt64(byte)
        }
        return word
    }

    mutating func modules() -> ModuleSet? {
        number().map { ModuleSet(bits: $0) }
    }

    mutating func writeItem() -> ConsistencyToken.WriteItem? {
        guard let xid = number(), let modules = self.modules() else { return nil }
        return ConsistencyToken.WriteItem(xid: xid, modules: modules)
    }
}
