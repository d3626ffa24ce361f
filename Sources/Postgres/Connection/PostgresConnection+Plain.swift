import CLibPQ

/// Scripts and COPY, on a lease: in pipeline mode libpq 15 would answer COPY for ever.
extension PostgresConnection {
    /// The most COPY data held for a slow consumer before reading stops.
    private static let highMark = 256 * 1_024
    /// The most bytes handed to libpq at once.
    private static let pieceSize = 64 * 1_024

    typealias PlainResult = Result<PlainOperation.Event, PostgresError>

    /// Whether the socket should be read.
    var wantsInput: Bool { !plain.isPaused }

    // MARK: Scripts

    /// Runs a script to its end.
    ///
    /// - Parameters:
    ///   - text: Any number of commands.
    ///   - deadline: When to give up.
    ///   - isForeign: Whether it may have changed the session; the connection is closed after the lease then.
    /// - Returns: Tag and row count of the last command.
    func runScript(
        _ text: String,
        deadline: ContinuousClock.Instant,
        isForeign: Bool
    ) async -> PlainResult {
        if isForeign { isDoomed = true }
        if let error = begin(text, .script, deadline) { return .failure(error) }
        return await nextEvent()
    }

    /// Begins a COPY.
    ///
    /// - Parameters:
    ///   - text: The COPY command.
    ///   - isIn: Whether data goes to the server.
    ///   - deadline: When to give up.
    /// - Returns: That the server is ready, or why not.
    func startCopy(_ text: String, isIn: Bool, deadline: ContinuousClock.Instant) async -> PlainResult {
        if let error = begin(text, isIn ? .startingCopyIn : .startingCopyOut, deadline) { return .failure(error) }
        let event = await nextEvent()
        switch event {
        case .success(.ended):
            return .failure(PostgresError(.encoding, "the command is not a COPY of this direction", outcome: .failed))
        case .success, .failure: return event
        }
    }

    private func begin(
        _ text: String,
        _ mode: PlainOperation.Mode,
        _ deadline: ContinuousClock.Instant
    ) -> PostgresError? {
        guard let pg else {
            return PostgresError(.connectionLost, "the leased connection was lost", outcome: .notRun)
        }
        let wasPipeline = machine.state == .pipeline
        guard machine.becomePlain() else {
            return PostgresError(.protocolViolation, "the lease is still busy with something else", outcome: .notRun)
        }
        if wasPipeline, !pg.exitPipeline() {
            close(PostgresError(.connectionLost, "pipeline mode could not be left", outcome: .notRun))
            return PostgresError(.connectionLost, "pipeline mode could not be left", outcome: .notRun)
        }
        machine.beginPlain()
        plain = PlainOperation()
        plain.mode = mode
        plain.deadline = deadline
        guard pg.sendScript(text) else {
            close(PostgresError(.connectionLost, "the script could not be sent", outcome: .notRun))
            return PostgresError(.connectionLost, "the script could not be sent", outcome: .notRun)
        }
        arm(deadline)
        sendQueued()
        return nil
    }

    private func nextEvent() async -> PlainResult {
        if let event = plain.pending {
            plain.pending = nil
            return event
        }
        guard machine.state == .busy else {
            return .failure(PostgresError(.connectionLost, "the leased connection was lost", outcome: .unknown))
        }
        return await withCheckedContinuation { plain.waiter = $0 }
    }

    /// Takes the answers of a script or a COPY.
    ///
    /// - Parameter pg: The connection.
    func drainPlain(_ pg: PGConnection) {
        while machine.state == .busy, plain.mode != .copyIn, !pg.isBusy {
            if plain.mode == .copyOut {
                guard drainCopyOut(pg) else { return }
                continue
            }
            guard let result = pg.nextResult() else {
                endPlain()
                return
            }
            switch result.status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                plain.tag = result.commandTag
                plain.rows = result.affectedRows
            case PGRES_FATAL_ERROR:
                guard let error = result.error else { return }
                if plain.error == nil { plain.error = error }
            case PGRES_COPY_IN where plain.mode == .startingCopyIn:
                plain.mode = .copyIn
                plain.publish(.success(.copyIn))
            case PGRES_COPY_IN where plain.mode != .ending:
                plain.mode = .ending
                guard pg.putCopyEnd("a COPY from the client is not expected here") == .queued else {
                    close(PostgresConnection.outOfStep)
                    return
                }
                sendQueued()
            case PGRES_COPY_OUT where plain.mode == .startingCopyOut:
                plain.mode = .copyOut
                plain.publish(.success(.copyOut))
            default:
                close(PostgresConnection.outOfStep)
                return
            }
        }
    }

    private static var outOfStep: PostgresError { ConnectionStateMachine.outOfStep }

    private func endPlain() {
        machine.endPlain()
        plain.deadline = nil
        if plain.isPaused {
            plain.isPaused = false
            updateReadInterest()
        }
        if var error = plain.error {
            if error.sqlState == .queryCanceled, let abandonment = plain.abandonment {
                error = error.with(code: abandonment == .deadline ? .deadlineExceeded : .cancelled)
            }
            plain.publish(.failure(error))
        } else {
            plain.publish(.success(.ended(tag: plain.tag, rows: plain.rows)))
        }
        wakeReader()
    }

    // MARK: COPY in

    /// Sends COPY data; returns once the socket has taken it.
    ///
    /// - Parameter bytes: The data.
    /// - Returns: Nil, or why it cannot go on; the server's own reason comes from ``endCopy(_:)``.
    func putCopy(_ bytes: [UInt8]) async -> PostgresError? {
        var start = 0
        while start < bytes.count {
            guard let pg, machine.state == .busy, plain.mode == .copyIn, plain.abandonment == nil else {
                return PostgresError(.copyAborted, "the COPY was ended", outcome: .failed)
            }
            let end = min(start + Self.pieceSize, bytes.count)
            switch pg.putCopyData(bytes, start..<end) {
            case .queued: start = end
            case .wait: break
            case .failed: return PostgresError(.copyAborted, "the COPY was ended", outcome: .failed)
            }
            sendQueued()
            await writable()
        }
        return nil
    }

    /// Ends COPY data.
    ///
    /// - Parameter message: Why it is given up; nil for a good end.
    /// - Returns: How the COPY ended.
    func endCopy(_ message: String?) async -> PlainResult {
        while let pg, machine.state == .busy, plain.mode == .copyIn {
            switch pg.putCopyEnd(message) {
            case .queued:
                plain.mode = .ending
                sendQueued()
                if let pg = self.pg { drain(pg) }
            case .wait:
                sendQueued()
                await writable()
            case .failed:
                close(Self.outOfStep)
            }
        }
        return await nextEvent()
    }

    /// Waits until libpq has no bytes left, or its buffer would become the queue.
    private func writable() async {
        guard hasUnsentBytes, pg != nil else { return }
        await withCheckedContinuation { plain.writer = $0 }
    }

    /// Lets the producer go on.
    func resumeWriter() {
        guard let writer = plain.writer else { return }
        plain.writer = nil
        writer.resume()
    }

    // MARK: COPY out

    /// The next rows of a COPY.
    ///
    /// - Returns: Whole rows, nil after the last or on an error, which ``copyEnd()`` then gives.
    func nextCopyChunk() async -> [UInt8]? {
        if let chunk = takeChunk() { return chunk }
        guard machine.state == .busy, plain.mode == .copyOut else { return nil }
        return await withCheckedContinuation { plain.reader = $0 }
    }

    /// How a COPY ended, after its last chunk.
    ///
    /// - Returns: The number of rows, or the error.
    func copyEnd() async -> PlainResult {
        await nextEvent()
    }

    private func takeChunk() -> [UInt8]? {
        guard !plain.chunk.isEmpty else { return nil }
        let chunk = plain.chunk
        plain.chunk = []
        if plain.isPaused {
            plain.isPaused = false
            updateReadInterest()
            // libpq may hold rows already, for which no readiness comes.
            if let pg { drain(pg) }
        }
        return chunk
    }

    /// Moves rows from libpq to the chunk.
    ///
    /// - Returns: Whether the data is complete.
    private func drainCopyOut(_ pg: PGConnection) -> Bool {
        while plain.chunk.count < Self.highMark {
            switch pg.getCopyData(into: &plain.chunk) {
            case .row: continue
            case .wait:
                wakeReader()
                return false
            case .end, .failed:
                // Either way the result says how it ended.
                plain.mode = .ending
                return true
            }
        }
        plain.isPaused = true
        updateReadInterest()
        wakeReader()
        return false
    }

    private func wakeReader() {
        guard let reader = plain.reader else { return }
        let isOver = machine.state != .busy || plain.mode == .ending
        guard isOver || !plain.chunk.isEmpty else { return }
        plain.reader = nil
        reader.resume(returning: takeChunk())
    }

    // MARK: Giving up

    /// Ends what runs because its caller was cancelled.
    func cancelPlain() {
        guard machine.state == .busy, plain.abandonment == nil else { return }
        abandon(.cancelled)
    }

    /// Looks at the deadline.
    ///
    /// - Parameter now: The present.
    /// - Returns: False if the connection was closed.
    func expirePlain(_ now: ContinuousClock.Instant) -> Bool {
        guard machine.state == .busy, let deadline = plain.deadline, now >= deadline else { return true }
        if plain.abandonment == nil {
            abandon(.deadline)
            return true
        }
        close(
            PostgresError(
                plain.abandonment == .deadline ? .deadlineExceeded : .cancelled,
                "the server did not end the command within the grace",
                outcome: .unknown
            )
        )
        return false
    }

    private func abandon(_ reason: PlainOperation.Abandonment) {
        plain.abandonment = reason
        cancelOnServer()
        let last = ContinuousClock.now.advanced(by: settings.configuration.grace)
        plain.deadline = last
        arm(last)
    }

    /// Resumes whoever waits on a connection that ends.
    ///
    /// - Parameter cause: Why it ends.
    func closePlain(_ cause: PostgresError) {
        if plain.waiter != nil {
            // The server's last words explain more than the loss that followed.
            plain.publish(.failure(plain.error?.with(outcome: .unknown) ?? cause))
        } else if plain.deadline != nil, plain.pending == nil {
            plain.pending = .failure(plain.error?.with(outcome: .unknown) ?? cause)
        }
        resumeWriter()
        if let reader = plain.reader {
            plain.reader = nil
            reader.resume(returning: nil)
        }
    }

    // MARK: The lease's end

    /// Makes the connection fit for its next user.
    ///
    /// - Returns: False if it is not and has to be closed.
    func endLease() -> Bool {
        guard let pg, machine.isEmpty, !isDoomed, pg.transactionStatus == PQTRANS_IDLE else { return false }
        return enterPipeline(pg)
    }
}
