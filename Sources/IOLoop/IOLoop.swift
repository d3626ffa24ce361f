private import Glibc
private import Synchronization

/// One thread around epoll, on which the actors that own C sockets run.
///
/// It is the serial executor of those actors: their jobs and the readiness of their descriptors happen on the same
/// thread, so that no lock guards a C handle and nothing blocks the cooperative pool. A turn is: the jobs enqueued so
/// far, the flush of connections that became dirty, readiness of descriptors, due timers. Many commands sent in one turn
/// thereby leave in one write.
///
/// State is of two kinds. What other threads touch is in one `Mutex`; the rest belongs to the thread of the loop, which
/// every entry asserts. There is no task executor conformance: it makes hops slower (swift-platform-executors #9, #11).
package final class IOLoop: SerialExecutor, @unchecked Sendable {
    // Sendable unchecked because: shared state is in one Mutex and atomics, the rest is touched by the loop's thread
    // alone, which `assertOnLoop` checks.

    /// What a registration wants to be told of.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt8
        package static let read = Interest(rawValue: 1)
        package static let write = Interest(rawValue: 2)

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }
    }

    private enum Work {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    private enum Phase {
        /// Not started, or driven by hand: what is enqueued waits.
        case idle
        case running
        /// No more events; jobs are being drained.
        case stopping
        /// The thread is gone. A late job runs on the thread that enqueues it, one at a time: it must not be lost, as a
        /// task would wait for ever.
        case stopped
    }

    private struct Shared {
        var queue: [Work] = []
        /// Whether the loop is awake, or a wake-up is on its way: then enqueueing needs no system call.
        var wakePending = true
        var phase = Phase.idle
        var isDrainedByCaller = false
        var thread: pthread_t?
    }

    /// The most jobs that run before descriptors are looked at again.
    private static let jobsPerTurn = 4_096

    private let name: String
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let isInline: Bool
    private let poller = Poller()
    private let shared = Mutex(Shared())
    /// The thread that is running the loop, 0 if none.
    private let owner = Atomic<UInt>(0)

    // Of the loop's thread:
    private var batch: [Work] = []
    private var batchIndex = 0
    private var dirty: [any ReadinessHandler] = []
    private var flushing: [any ReadinessHandler] = []
    private var registrations: [CInt: Registration] = [:]
    private var lastRegistrationID: UInt32 = 0
    private var timers = TimerHeap()
    private var armedDeadline: ContinuousClock.Instant?

    /// Makes a loop whose thread begins with ``start()``.
    ///
    /// - Parameters:
    ///   - name: The thread's name, of which Linux keeps 15 bytes.
    ///   - now: The clock of its timers.
    package convenience init(
        name: String = "stock-io",
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
        self.init(name: name, isInline: false, now: now)
    }

    /// Makes a loop without a thread, pumped by the test that owns it.
    ///
    /// - Parameter now: The clock of its timers.
    /// - Returns: The loop.
    package static func inline(
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) -> IOLoop {
        IOLoop(name: "inline", isInline: true, now: now)
    }

    private init(name: String, isInline: Bool, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.name = name
        self.isInline = isInline
        clock = now
        // hiredis writes without MSG_NOSIGNAL: a peer that has gone must be an error, not the end of the process.
        _ = signal(SIGPIPE, SIG_IGN)
    }

    // MARK: - Life

    /// Starts the thread; once.
    package func start() {
        precondition(!isInline, "an inline loop is pumped by hand")
        let begins = shared.withLock { shared in
            guard shared.phase == .idle else { return false }
            shared.phase = .running
            return true
        }
        guard begins else { return }
        let thread = OSThread.start(name: name) { self.run() }
        shared.withLock { $0.thread = thread }
    }

    /// Stops: descriptors are left alone from now on, jobs already enqueued run, the thread is joined.
    ///
    /// Blocks until the thread has ended; not to be called on the loop. Connections are closed by their owners before.
    package func stop() {
        precondition(!isOnLoop, "a loop cannot wait for its own end")
        var isThreadless = false
        let (thread, needsSignal) = shared.withLock { shared -> (pthread_t?, Bool) in
            let thread = shared.thread
            shared.thread = nil
            isThreadless = shared.phase == .idle
            switch shared.phase {
            case .idle:
                shared.phase = .stopping
                return (nil, false)
            case .running:
                shared.phase = .stopping
                let needsSignal = !shared.wakePending
                shared.wakePending = true
                return (thread, needsSignal)
            case .stopping, .stopped:
                return (thread, false)
            }
        }
        if needsSignal {
            poller.signal()
        }
        if let thread {
            OSThread.join(thread)
        } else if isThreadless {
            // Never started, or inline: the caller's thread takes the place of the loop's.
            run()
        }
    }

    // MARK: - Executor

    package func enqueue(_ job: consuming ExecutorJob) {
        submit(.job(UnownedJob(job)))
    }

    /// Runs a body on the loop, in order with the jobs of its actors; callable from anywhere.
    package func execute(_ body: @escaping @Sendable () -> Void) {
        submit(.body(body))
    }

    package func checkIsolated() {
        precondition(isOnLoop, "this code must run on the I/O loop")
    }

    package func isIsolatingCurrentContext() -> Bool? {
        isOnLoop
    }

    /// Whether the calling thread is the one that runs the loop now.
    package var isOnLoop: Bool {
        owner.load(ordering: .relaxed) == UInt(pthread_self())
    }

    private func submit(_ work: Work) {
        enum Next {
            case nothing
            case signal
            case drain
        }
        let isOnLoop = isOnLoop
        let next: Next = shared.withLock { shared in
            shared.queue.append(work)
            if shared.phase == .stopped {
                guard !shared.isDrainedByCaller else { return .nothing }
                shared.isDrainedByCaller = true
                keepAlive()
                return .drain
            }
            // The loop looks at the queue before it sleeps: its own thread need not wake it.
            guard !shared.wakePending, !isOnLoop else { return .nothing }
            shared.wakePending = true
            keepAlive()
            return .signal
        }
        switch next {
        case .nothing: return
        case .signal: poller.signal()
        case .drain: drainOnCallingThread()
        }
        letGo()
    }

    /// Keeps the loop until it is let go.
    ///
    /// Once work lies in the queue it may be done, and with it the last actor of this loop gone, before the call that brought the
    /// work is over; the runtime holds an executor no longer than the actor does.
    private func keepAlive() {
        _ = unsafe Unmanaged.passRetained(self)
    }

    private func letGo() {
        unsafe Unmanaged.passUnretained(self).release()
    }

    // MARK: - Descriptors, timers

    /// Watches a descriptor; on the loop only.
    ///
    /// - Parameters:
    ///   - descriptor: An open, non-blocking descriptor that is not registered yet.
    ///   - interest: What to report. Errors and hang-ups are always reported, as readable and writable.
    ///   - handler: Who is told; retained until the registration ends.
    /// - Returns: The registration, to change or end it by.
    package func register(
        _ descriptor: CInt,
        _ interest: Interest,
        _ handler: any ReadinessHandler
    ) -> Registration {
        assertOnLoop()
        repeat { lastRegistrationID &+= 1 } while lastRegistrationID == 0
        let registration = Registration(
            id: lastRegistrationID,
            descriptor: descriptor,
            interest: interest,
            handler: handler,
            loop: self
        )
        precondition(registrations[descriptor] == nil, "a descriptor must be deregistered before it is closed")
        registrations[descriptor] = registration
        poller.add(descriptor, id: registration.id, interest: interest)
        return registration
    }

    func updateInterest(of registration: Registration) {
        poller.modify(registration.descriptor, id: registration.id, interest: registration.interest)
    }

    func remove(_ registration: Registration) {
        if registrations[registration.descriptor] === registration {
            registrations[registration.descriptor] = nil
            poller.remove(registration.descriptor)
        }
    }

    /// Calls the handler's `flush` once after the jobs of this turn; on the loop only.
    ///
    /// A handler that asks again before its flush is flushed twice: it keeps its own mark.
    package func flushAtEndOfTurn(_ handler: any ReadinessHandler) {
        assertOnLoop()
        dirty.append(handler)
    }

    /// The time by the loop's clock; from anywhere.
    package var now: ContinuousClock.Instant { clock() }

    /// Calls back at an instant of the loop's clock; on the loop only.
    package func schedule(at deadline: ContinuousClock.Instant, _ callback: any TimerCallback) -> TimerID {
        assertOnLoop()
        return timers.insert(at: deadline, callback)
    }

    /// Forgets a timer, on the loop only; one that has fired or was cancelled is ignored.
    package func cancel(_ timer: TimerID) {
        assertOnLoop()
        timers.cancel(timer)
    }

    func assertOnLoop() {
        assert(isOnLoop, "this call belongs to the I/O loop's thread")
    }

    // MARK: - Turns

    /// Runs one turn without sleeping; for an inline loop.
    ///
    /// - Returns: Whether anything happened.
    @discardableResult
    package func turn() -> Bool {
        precondition(isInline, "only an inline loop is pumped by hand")
        return withOwnership { oneTurn(mayBlock: false) }
    }

    /// Runs turns until one in which nothing happens; for an inline loop.
    package func pump() {
        while turn() {}
    }

    /// Runs a body as if on the loop; for an inline loop.
    package func onLoop<Result>(_ body: () throws -> Result) rethrows -> Result {
        precondition(isInline, "only an inline loop lends its thread")
        return try withOwnership(body)
    }

    private func withOwnership<Result>(_ body: () throws -> Result) rethrows -> Result {
        owner.store(UInt(pthread_self()), ordering: .relaxed)
        defer { owner.store(0, ordering: .relaxed) }
        return try body()
    }

    private func run() {
        owner.store(UInt(pthread_self()), ordering: .relaxed)
        while !isStopping() {
            oneTurn(mayBlock: true)
        }
        close()
        while !endIfDrained() {
            runJobs()
            // What the last jobs asked for does not come any more.
            dirty.removeAll()
            timers.removeAll()
        }
    }

    private func isStopping() -> Bool {
        shared.withLock { $0.phase == .stopping }
    }

    /// Lets go of all descriptors and timers.
    private func close() {
        for registration in registrations.values {
            poller.remove(registration.descriptor)
            registration.abandon()
        }
        registrations.removeAll()
        timers.removeAll()
        dirty.removeAll()
    }

    private func endIfDrained() -> Bool {
        guard batchIndex == batch.count else { return false }
        return shared.withLock { shared in
            guard shared.queue.isEmpty else { return false }
            shared.phase = .stopped
            // Inside the lock: the next owner may begin at once.
            owner.store(0, ordering: .relaxed)
            return true
        }
    }

    /// Runs what was enqueued after the thread's end; one thread at a time does so, the others leave their work to it.
    private func drainOnCallingThread() {
        owner.store(UInt(pthread_self()), ordering: .relaxed)
        while true {
            let queue = shared.withLock { shared -> [Work] in
                if shared.queue.isEmpty {
                    shared.isDrainedByCaller = false
                    owner.store(0, ordering: .relaxed)
                }
                var queue: [Work] = []
                swap(&queue, &shared.queue)
                return queue
            }
            guard !queue.isEmpty else { return }
            queue.forEach(perform)
        }
    }

    @discardableResult
    private func oneTurn(mayBlock: Bool) -> Bool {
        var happened = runJobs()
        happened = flushDirty() || happened
        happened = waitForEvents(mayBlock: mayBlock) || happened
        return fireTimers() || happened
    }

    @discardableResult
    private func runJobs() -> Bool {
        if batch.isEmpty {
            shared.withLock { swap(&$0.queue, &batch) }
        }
        let end = min(batch.count, batchIndex + Self.jobsPerTurn)
        guard batchIndex < end else { return false }
        while batchIndex < end {
            let work = batch[batchIndex]
            batchIndex += 1
            perform(work)
        }
        if batchIndex == batch.count {
            // Now and not before the next turn, which may be long in coming: what has run keeps nothing alive.
            batch.removeAll(keepingCapacity: batch.capacity <= Self.jobsPerTurn)
            batchIndex = 0
        }
        return true
    }

    private func perform(_ work: Work) {
        switch work {
        case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
        case .body(let body): body()
        }
    }

    private func flushDirty() -> Bool {
        guard !dirty.isEmpty else { return false }
        swap(&dirty, &flushing)
        for handler in flushing {
            handler.flush()
        }
        flushing.removeAll(keepingCapacity: true)
        return true
    }

    private func waitForEvents(mayBlock: Bool) -> Bool {
        armTimer()
        let hasWork = !dirty.isEmpty || batchIndex < batch.count
        let sleeps = shared.withLock { shared -> Bool in
            guard mayBlock, !hasWork, shared.queue.isEmpty, shared.phase == .running else { return false }
            shared.wakePending = false
            return true
        }
        let result = poller.wait(mayBlock: sleeps) { event in
            deliver(event)
        }
        if result.timerExpired {
            armedDeadline = nil
        }
        return result.delivered > 0
    }

    private func deliver(_ event: Poller.Event) {
        // An old registration of a reused descriptor, or one that ended earlier in this batch.
        guard let registration = registrations[event.descriptor], registration.id == event.registrationID else {
            return
        }
        if event.isReadable {
            registration.handler?.readable()
        }
        if event.isWritable {
            registration.handler?.writable()
        }
    }

    /// Sees that the kernel wakes us for the earliest timer.
    ///
    /// A deadline that moved away or was cancelled leaves the kernel's timer as it is: one wake-up too many costs less
    /// than a system call for each deadline that is kept.
    private func armTimer() {
        guard let deadline = timers.nextDeadline() else { return }
        if let armedDeadline, armedDeadline <= deadline { return }
        armedDeadline = deadline
        poller.setTimer(nanosecondsFromNow: (deadline - now).nanoseconds)
    }

    private func fireTimers() -> Bool {
        guard timers.count > 0 else { return false }
        let now = now
        var fired = false
        while let callback = timers.popDue(at: now) {
            fired = true
            callback.fire()
        }
        return fired
    }
}
