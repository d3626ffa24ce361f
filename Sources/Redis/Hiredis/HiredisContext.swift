private import CHiredis
private import Glibc
internal import IOLoop

/// Who owns a ``HiredisContext`` and hears from it; called on the loop, from within hiredis.
protocol HiredisOwner: AnyObject {
    /// The transport is up; what was queued leaves now.
    func contextConnected()

    /// A command of ``HiredisContext/send(_:for:)`` was answered.
    func contextReceived(_ pending: PendingCommand, _ reply: borrowing HiredisReply)

    /// A message or confirmation arrived on the subscribed channel.
    func contextReceivedPush(_ reply: borrowing HiredisReply)

    /// The context is gone, after every pending command got a ``HiredisReply/lost``.
    func contextClosed(_ error: RedisError)
}

/// One asynchronous context of hiredis 0.14.1, driven by an ``IOLoop``; belongs to the loop's thread.
///
/// What hiredis does under its caller's feet stays in here. Its calls for reading and writing may free the context; the
/// `cleanup` hook, which hiredis calls before it closes the descriptor, is the one place that notices. Freeing waits
/// until no call into hiredis is on the stack, because in a connect callback it would free what its caller still uses.
/// `redisReconnect` is never used: a context lives once.
///
/// Safe because the pointer is cleared in `cleanup`, before the memory goes, and every use checks it.
@safe
final class HiredisContext: ReadinessHandler {
    /// What hiredis calls with a reply: the context, the reply and what was passed along.
    private typealias Callback =
        @convention(c) (
            UnsafeMutablePointer<redisAsyncContext>?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Void

    private let loop: IOLoop
    /// Retained until the end, so that pending commands have someone to report to.
    private var owner: (any HiredisOwner)?
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var registration: Registration?
    private var interest: IOLoop.Interest = []
    private var isConnected = false
    /// Waits for its flush at the end of the turn.
    private var isDirty = false
    /// A write is under way: hiredis asking for another means that the socket is full.
    private var isWriting = false
    /// Calls into hiredis on the stack.
    private var depth = 0
    private var closeReason: RedisError?

    /// Starts to connect.
    ///
    /// - Parameters:
    ///   - address: An IP address or a path; a name would block in `getaddrinfo`.
    ///   - loop: The loop, whose thread calls this.
    ///   - owner: Who hears of everything; retained until the context has ended.
    /// - Throws: ``RedisError`` if the system refuses at once.
    init(
        connectingTo address: RedisConfiguration.Address,
        on loop: IOLoop,
        owner: any HiredisOwner
    ) throws(RedisError) {
        self.loop = loop
        self.owner = owner
        let made =
            switch address {
            case .tcp(let host, let port): unsafe redisAsyncConnect(host, CInt(port))
            case .unix(let path): unsafe redisAsyncConnectUnix(path)
            }
        guard let context = unsafe made else {
            throw RedisError(.connectionFailed, "out of memory")
        }
        guard unsafe context.pointee.err == 0 else {
            let message = unsafe Self.message(of: context)
            unsafe redisAsyncFree(context)
            throw RedisError(.connectionFailed, message)
        }
        unsafe self.context = context
        // hiredis does not: a child process would keep the connection open after its end here.
        _ = unsafe fcntl(context.pointee.c.fd, F_SETFD, FD_CLOEXEC)
        registration = unsafe loop.register(context.pointee.c.fd, [], self)
        unsafe installHooks(in: context)
    }

    /// The hooks must be in place before the connect callback is set, which asks for write interest at once.
    private func installHooks(in context: UnsafeMutablePointer<redisAsyncContext>) {
        // Unretained because the registration retains this object until `cleanup`, after which no hook is called.
        unsafe context.pointee.ev.data = Unmanaged.passUnretained(self).toOpaque()
        unsafe context.pointee.ev.addRead = { unsafe HiredisContext.from($0)?.addRead() }
        unsafe context.pointee.ev.delRead = { unsafe HiredisContext.from($0)?.removeRead() }
        unsafe context.pointee.ev.addWrite = { unsafe HiredisContext.from($0)?.addWrite() }
        unsafe context.pointee.ev.delWrite = { unsafe HiredisContext.from($0)?.removeWrite() }
        unsafe context.pointee.ev.cleanup = { unsafe HiredisContext.from($0)?.cleanUp() }
        _ = unsafe redisAsyncSetConnectCallback(context) { context, status in
            guard let context = unsafe context, status == REDIS_OK else { return }
            unsafe HiredisContext.from(context.pointee.ev.data)?.connected()
        }
    }

    private static func from(_ pointer: UnsafeMutableRawPointer?) -> HiredisContext? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe Unmanaged<HiredisContext>.fromOpaque(pointer).takeUnretainedValue()
    }

    private static func message(of context: UnsafeMutablePointer<redisAsyncContext>) -> String {
        // The async field is copied late: the embedded context has the words first.
        guard unsafe context.pointee.c.err != 0 else { return "the connection was closed" }
        return unsafe withUnsafeBytes(of: context.pointee.c.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    // MARK: - Commands

    /// Appends a command to the output, which leaves at the end of the loop's turn.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - pending: Who gets the reply; retained until then.
    /// - Returns: Whether a reply, or the loss of it, will be reported.
    func send(_ command: RedisCommand, for pending: PendingCommand) -> Bool {
        let box = unsafe Unmanaged.passRetained(pending)
        let isAccepted = unsafe append(
            command,
            { context, reply, box in
                guard let context = unsafe context, let box = unsafe box else { return }
                let pending = unsafe Unmanaged<PendingCommand>.fromOpaque(box).takeRetainedValue()
                let reply = unsafe HiredisReply(reply)
                unsafe HiredisContext.from(context.pointee.ev.data)?.owner?.contextReceived(pending, reply)
            },
            box.toOpaque()
        )
        if !isAccepted {
            // No callback comes: release here what it would have released.
            unsafe box.release()
        }
        return isAccepted
    }

    /// Subscribes, or asks again for the confirmation of a subscription, which serves as a ping.
    ///
    /// PING itself is a trap in this version: its replies are dropped, or go to the channel's callback.
    func subscribe(to channel: [UInt8]) -> Bool {
        var command = RedisCommand("SUBSCRIBE")
        command.append(channel)
        return unsafe append(
            command,
            { context, reply, _ in
                guard let context = unsafe context, let reply = unsafe reply else { return }
                let copy = unsafe HiredisReply(reply)
                unsafe HiredisContext.from(context.pointee.ev.data)?.owner?.contextReceivedPush(copy)
            },
            nil
        )
    }

    private func append(
        _ command: RedisCommand,
        _ callback: @escaping Callback,
        _ box: UnsafeMutableRawPointer?
    ) -> Bool {
        guard let context = unsafe context, closeReason == nil, !command.ends.isEmpty else { return false }
        let count = command.ends.count
        return unsafe command.bytes.withUnsafeBytes { bytes in
            unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { pointers in
                unsafe withUnsafeTemporaryAllocation(of: Int.self, capacity: count) { lengths in
                    // An empty argument needs a pointer too, and all of them empty have no bytes.
                    let base = unsafe bytes.baseAddress ?? UnsafeRawPointer(pointers.baseAddress)
                    var start = 0
                    for (index, end) in command.ends.enumerated() {
                        let pointer = unsafe base?.advanced(by: start).assumingMemoryBound(to: CChar.self)
                        unsafe pointers.initializeElement(at: index, to: pointer)
                        unsafe lengths.initializeElement(at: index, to: end - start)
                        start = end
                    }
                    return unsafe redisAsyncCommandArgv(
                        context,
                        callback,
                        box,
                        CInt(count),
                        pointers.baseAddress,
                        lengths.baseAddress
                    ) == REDIS_OK
                }
            }
        }
    }

    // MARK: - Closing

    /// Ends the connection; pending commands are reported as lost, then the owner hears of it.
    ///
    /// - Parameter reason: What the owner hears.
    func close(_ reason: RedisError) {
        guard unsafe context != nil else { return }
        closeReason = closeReason ?? reason
        guard depth == 0 else { return }
        freeContext()
    }

    /// What ends the connection, or has just ended it.
    var lossReason: RedisError {
        if let closeReason { return closeReason }
        guard let context = unsafe context else { return RedisError(.connectionLost) }
        return unsafe RedisError(isConnected ? .connectionLost : .connectionFailed, Self.message(of: context))
    }

    private func freeContext() {
        guard let context = unsafe context else { return }
        unsafe redisAsyncFree(context)
    }

    /// Makes one call that may free the context, and frees it afterwards if that was asked for meanwhile.
    private func enter(_ call: (UnsafeMutablePointer<redisAsyncContext>) -> Void) {
        guard let context = unsafe context else { return }
        depth += 1
        unsafe call(context)
        depth -= 1
        if depth == 0, closeReason != nil {
            freeContext()
        }
    }

    // MARK: - Readiness

    func readable() {
        unsafe enter { context in
            unsafe redisAsyncHandleRead(context)
        }
    }

    func writable() {
        write()
    }

    func flush() {
        isDirty = false
        // Until connected the kernel says when to write.
        if isConnected {
            write()
        }
    }

    private func write() {
        isWriting = true
        unsafe enter { context in
            unsafe redisAsyncHandleWrite(context)
        }
        isWriting = false
    }

    /// Reads what the kernel holds, outside of a readiness event.
    func readAvailable() {
        if isConnected {
            readable()
        }
    }

    // MARK: - Hooks, called by hiredis

    private func addRead() {
        setInterest(interest.union(.read))
    }

    private func removeRead() {
        setInterest(interest.subtracting(.read))
    }

    private func addWrite() {
        if !isConnected || isWriting {
            setInterest(interest.union(.write))
        } else if !isDirty, !interest.contains(.write) {
            isDirty = true
            loop.flushAtEndOfTurn(self)
        }
    }

    private func removeWrite() {
        setInterest(interest.subtracting(.write))
    }

    private func setInterest(_ interest: IOLoop.Interest) {
        self.interest = interest
        registration?.setInterest(interest)
    }

    private func connected() {
        isConnected = true
        owner?.contextConnected()
    }

    /// The context is about to be freed and its descriptor closed.
    private func cleanUp() {
        guard let context = unsafe context else { return }
        let reason = lossReason
        // The peer hears of the end even if a process was started before the descriptor was marked.
        _ = unsafe shutdown(context.pointee.c.fd, CInt(SHUT_RDWR))
        unsafe self.context = nil
        registration?.deregister()
        registration = nil
        let owner = owner
        self.owner = nil
        owner?.contextClosed(reason)
    }
}
