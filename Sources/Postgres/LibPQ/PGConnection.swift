import CLibPQ

/// A connection of libpq: one C call per method, nothing blocks.
///
/// Belongs to one thread at a time; its owner is an actor. Freed in `deinit`, after its descriptor was deregistered.
@safe
final class PGConnection {
    private let handle: OpaquePointer

    /// Begins to connect.
    ///
    /// - Parameter parameters: libpq's keywords and values; no host name among them that is not resolved.
    /// - Throws: ``PostgresError`` of code `connectFailed` if libpq refuses the parameters.
    init(starting parameters: [(keyword: String, value: String)]) throws(PostgresError) {
        // Safe because libpq copies keywords and values before it returns.
        let started = unsafe withCStrings(parameters.map(\.keyword)) { keywords in
            unsafe withCStrings(parameters.map(\.value)) { values in
                unsafe PQconnectStartParams(keywords, values, 0)
            }
        }
        guard let started = unsafe started else {
            throw PostgresError(.connectFailed, "out of memory")
        }
        unsafe handle = started
        // The default receiver prints to standard error; what is worth knowing comes as errors.
        unsafe PQsetNoticeReceiver(handle, { _, _ in }, nil)
    }

    deinit {
        unsafe PQfinish(handle)
    }

    // MARK: Connecting

    /// The descriptor; it may change with every ``poll()``.
    var socket: CInt { unsafe PQsocket(handle) }

    /// Whether the connection is unusable.
    var isBroken: Bool { unsafe PQstatus(handle) == CONNECTION_BAD }

    /// Goes one step on with connecting.
    ///
    /// - Returns: What to wait for.
    func poll() -> PostgresPollingStatusType { unsafe PQconnectPoll(handle) }

    /// libpq's words about the last failure; they may name host and user.
    var errorMessage: String {
        guard let text = unsafe PQerrorMessage(handle) else { return "" }
        return unsafe String(cString: text)
    }

    /// The server's version: 150020 for 15.20.
    var serverVersion: Int { Int(unsafe PQserverVersion(handle)) }

    /// Whether a transaction is open.
    var transactionStatus: PGTransactionStatusType { unsafe PQtransactionStatus(handle) }

    /// Makes writes return instead of waiting.
    ///
    /// - Returns: Whether it worked.
    func setNonblocking() -> Bool { unsafe PQsetnonblocking(handle, 1) == 0 }

    /// Enters pipeline mode; the connection must be idle.
    ///
    /// - Returns: Whether it worked.
    func enterPipeline() -> Bool { unsafe PQenterPipelineMode(handle) == 1 }

    /// Leaves pipeline mode; the connection must be idle.
    ///
    /// - Returns: Whether it worked.
    func exitPipeline() -> Bool { unsafe PQexitPipelineMode(handle) == 1 }

    /// What it takes to cancel whatever the connection runs.
    ///
    /// - Returns: The key, nil if out of memory.
    func makeCancel() -> PGCancel? {
        guard let cancel = unsafe PQgetCancel(handle) else { return nil }
        return unsafe PGCancel(taking: cancel)
    }

    // MARK: Sending

    /// Queues the preparation of a statement.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - sql: Its text.
    ///   - types: The types of its parameters.
    /// - Returns: Whether it was queued.
    func sendPrepare(_ name: String, _ sql: SQL, _ types: [PostgresType]) -> Bool {
        let oids = types.map(\.oid)
        // Safe because libpq copies texts and types.
        return unsafe PQsendPrepare(handle, name, sql.text, CInt(truncatingIfNeeded: oids.count), oids) == 1
    }

    /// Queues a prepared statement with parameters of a unit, all binary, the answer too.
    ///
    /// - Parameters:
    ///   - name: The statement's name.
    ///   - parameters: The unit's arena.
    ///   - first: The index of the statement's first parameter.
    ///   - count: The number of its parameters.
    /// - Returns: Whether it was queued.
    func sendPrepared(_ name: String, _ parameters: borrowing Parameters, first: Int, count: Int) -> Bool {
        let places = parameters.places
        // Safe because libpq copies the values while it queues the message: pointers into the arena and the temporary
        // arrays need not outlive the call.
        return unsafe parameters.arena.withUnsafeBytes { arena in
            unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count + 1) { values in
                unsafe withUnsafeTemporaryAllocation(of: CInt.self, capacity: 2 * count + 1) { integers in
                    for index in 0..<count {
                        let place = places[first + index]
                        let start = unsafe arena.baseAddress?.advanced(by: Int(place.offset))
                        unsafe values.initializeElement(
                            at: index,
                            to: place.length < 0 ? nil : start?.assumingMemoryBound(to: CChar.self)
                        )
                        unsafe integers.initializeElement(at: index, to: max(place.length, 0))
                        unsafe integers.initializeElement(at: count + index, to: 1)
                    }
                    return unsafe PQsendQueryPrepared(
                        handle,
                        name,
                        CInt(truncatingIfNeeded: count),
                        UnsafePointer(values.baseAddress),
                        UnsafePointer(integers.baseAddress),
                        UnsafePointer(integers.baseAddress?.advanced(by: count)),
                        1
                    ) == 1
                }
            }
        }
    }

    /// Queues a prepared statement with two text parameters.
    ///
    /// - Parameters:
    ///   - name: The statement's name.
    ///   - first: Its first parameter.
    ///   - second: Its second parameter.
    /// - Returns: Whether it was queued.
    func sendPrepared(_ name: String, texts first: String, _ second: String) -> Bool {
        // Safe because libpq copies the values while it queues the message.
        unsafe first.withCString { first in
            unsafe second.withCString { second in
                unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: 2) { values in
                    unsafe values.initializeElement(at: 0, to: first)
                    unsafe values.initializeElement(at: 1, to: second)
                    return unsafe PQsendQueryPrepared(handle, name, 2, values.baseAddress, nil, nil, 1) == 1
                }
            }
        }
    }

    /// Queues one command without parameters; allowed in pipeline mode.
    ///
    /// - Parameter text: The command.
    /// - Returns: Whether it was queued.
    func sendCommand(_ text: String) -> Bool {
        unsafe PQsendQueryParams(handle, text, 0, nil, nil, nil, nil, 1) == 1
    }

    /// Queues a script of any number of commands; outside pipeline mode only.
    ///
    /// - Parameter text: The script.
    /// - Returns: Whether it was queued.
    func sendScript(_ text: String) -> Bool { unsafe PQsendQuery(handle, text) == 1 }

    /// Ends a unit: the server commits when it gets here.
    ///
    /// Sends what is queued, in one `sendto`.
    ///
    /// - Returns: Whether it was queued.
    func sync() -> Bool { unsafe PQpipelineSync(handle) == 1 }

    /// What became of the bytes queued.
    enum Flush {
        case done
        case pending
        case failed
    }

    /// Sends what is queued as far as the socket takes it.
    ///
    /// - Returns: Whether bytes are left.
    func flush() -> Flush {
        switch unsafe PQflush(handle) {
        case 0: .done
        case 1: .pending
        default: .failed
        }
    }

    // MARK: Receiving

    /// Reads what the socket has.
    ///
    /// - Returns: False if the connection is dead; answers read before may still be there.
    func consumeInput() -> Bool { unsafe PQconsumeInput(handle) == 1 }

    /// Whether taking the next answer would have to wait.
    var isBusy: Bool { unsafe PQisBusy(handle) == 1 }

    /// Takes the next answer; not to be called while busy.
    ///
    /// - Returns: The answer, nil after the last of a statement.
    func nextResult() -> PGResult? {
        guard let result = unsafe PQgetResult(handle) else { return nil }
        return unsafe PGResult(taking: result)
    }

    /// Takes the next notification.
    ///
    /// - Returns: Channel and payload, nil if none is there.
    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = unsafe PQnotifies(handle) else { return nil }
        defer { unsafe PQfreemem(notification) }
        return unsafe (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
    }

    // MARK: COPY

    /// What became of a piece of COPY data.
    enum CopyPut {
        case queued
        /// The buffer is full: again when the socket is writable.
        case wait
        case failed
    }

    /// Queues a piece of COPY data.
    ///
    /// - Parameters:
    ///   - bytes: The data.
    ///   - range: Which part of it.
    /// - Returns: Whether it was queued.
    func putCopyData(_ bytes: [UInt8], _ range: Range<Int>) -> CopyPut {
        // Safe because libpq copies the bytes and `range` lies within them (checked by the rebasing subscript).
        let code = unsafe bytes.withUnsafeBytes { buffer in
            let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[range])
            return unsafe PQputCopyData(
                handle,
                part.baseAddress?.assumingMemoryBound(to: CChar.self),
                CInt(truncatingIfNeeded: part.count)
            )
        }
        return copyPut(code)
    }

    /// Queues the end of COPY data.
    ///
    /// - Parameter message: Why it is given up; nil for a good end.
    /// - Returns: Whether it was queued.
    func putCopyEnd(_ message: String?) -> CopyPut {
        if let message { return copyPut(unsafe PQputCopyEnd(handle, message)) }
        return copyPut(unsafe PQputCopyEnd(handle, nil))
    }

    private func copyPut(_ code: CInt) -> CopyPut {
        switch code {
        case 1: .queued
        case 0: .wait
        default: .failed
        }
    }

    /// What COPY had to give.
    enum CopyGet {
        case row
        case wait
        case end
        case failed
    }

    /// Takes the next row of COPY data.
    ///
    /// - Parameter bytes: The row is appended here.
    /// - Returns: Whether there was one.
    func getCopyData(into bytes: inout [UInt8]) -> CopyGet {
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe PQgetCopyData(handle, &start, 1)
        switch count {
        case 0: return .wait
        case -1: return .end
        case let count where count > 0:
            // Safe because libpq hands over `count` bytes, freed after they were copied.
            defer { unsafe PQfreemem(start) }
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: Int(count)))
            return .row
        default: return .failed
        }
    }
}

/// Lends C strings in an array that ends with nil.
private func withCStrings<Value>(
    _ strings: [String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Value
) -> Value {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes.append(contentsOf: string.utf8.map { CChar(bitPattern: $0) })
        bytes.append(0)
    }
    // Safe because both arrays outlive the closure that sees the pointers.
    return unsafe bytes.withUnsafeBufferPointer { bytes in
        var pointers: [UnsafePointer<CChar>?] = unsafe offsets.map { unsafe bytes.baseAddress?.advanced(by: $0) }
        unsafe pointers.append(nil)
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}
