import Glibc
import IOLoop
import Synchronization
import Testing

@Suite("The I/O loop")
struct IOLoopTests {
    private let log = Log()
    private let clock = ManualClock()
    private let loop: IOLoop

    init() {
        loop = IOLoop.inline { [clock] in clock.now }
    }

    @Test("a turn runs jobs, then flushes, then descriptors, then timers")
    func orderOfATurn() {
        let pair = SocketPair()
        defer { pair.close() }
        pair.sendToUs()
        let recorder = Recorder(log: log)
        let (loop, log) = (loop, log)
        let registration = loop.onLoop {
            _ = loop.schedule(at: clock.now, recorder)
            loop.flushAtEndOfTurn(recorder)
            return loop.register(pair.ours, .read, recorder)
        }
        loop.execute { log.append("job 1") }
        loop.execute { log.append("job 2") }
        loop.turn()
        #expect(log.all == ["job 1", "job 2", "flush", "readable", "fire"])
        loop.onLoop { registration.deregister() }
    }

    @Test("what a job enqueues runs in the next turn, after descriptors had their say")
    func jobsDoNotStarveDescriptors() {
        let (loop, log) = (loop, log)
        loop.execute {
            log.append("first")
            loop.execute { log.append("second") }
        }
        loop.turn()
        #expect(log.take() == ["first"])
        loop.turn()
        #expect(log.take() == ["second"])
        #expect(!loop.turn())
    }

    @Test("at most 4096 jobs run in one turn")
    func limitOfATurn() {
        let box = CountBox()
        for _ in 0..<5_000 {
            loop.execute { box.count.add(1, ordering: .relaxed) }
        }
        loop.turn()
        #expect(box.count.load(ordering: .relaxed) == 4_096)
        loop.turn()
        #expect(box.count.load(ordering: .relaxed) == 5_000)
    }

    @Test("triggering is level: unread bytes are reported again")
    func levelTriggered() {
        let pair = SocketPair()
        defer { pair.close() }
        let recorder = Recorder(log: log)
        let registration = loop.onLoop { loop.register(pair.ours, .read, recorder) }
        loop.turn()
        #expect(log.take() == [])
        pair.sendToUs()
        loop.turn()
        loop.turn()
        #expect(log.take() == ["readable", "readable"])
        loop.onLoop { registration.deregister() }
        #expect(!loop.turn())
    }

    @Test("only what is of interest is reported, and interest can change")
    func interest() {
        let pair = SocketPair()
        defer { pair.close() }
        pair.sendToUs()
        let recorder = Recorder(log: log)
        let registration = loop.onLoop { loop.register(pair.ours, .write, recorder) }
        loop.turn()
        #expect(log.take() == ["writable"])
        loop.onLoop { registration.setInterest([.read, .write]) }
        loop.turn()
        #expect(log.take() == ["readable", "writable"])
        loop.onLoop { registration.setInterest([]) }
        loop.turn()
        #expect(log.take() == [])
        loop.onLoop { registration.deregister() }
    }

    @Test("a hang-up is reported as readable and writable whatever the interest")
    func hangUp() {
        let pair = SocketPair()
        let recorder = Recorder(log: log)
        let registration = loop.onLoop { loop.register(pair.ours, [], recorder) }
        _ = close(pair.theirs)
        loop.turn()
        #expect(log.take() == ["readable", "writable"])
        loop.onLoop { registration.deregister() }
        _ = close(pair.ours)
    }

    @Test("a handler that deregisters in readable is not told writable")
    func deregisterBetween() {
        let pair = SocketPair()
        defer { pair.close() }
        pair.sendToUs()
        let recorder = Recorder(log: log)
        let registration = loop.onLoop { loop.register(pair.ours, [.read, .write], recorder) }
        recorder.onReadable = { registration.deregister() }
        loop.turn()
        loop.turn()
        #expect(log.all == ["readable"])
        #expect(!registration.isActive)
    }

    @Test("a descriptor removed earlier in the same batch gets no event")
    func removedInBatch() {
        let first = SocketPair()
        let second = SocketPair()
        defer { first.close() }
        defer { second.close() }
        first.sendToUs()
        second.sendToUs()
        let one = Recorder("1 ", log: log)
        let two = Recorder("2 ", log: log)
        let (a, b) = loop.onLoop {
            (loop.register(first.ours, .read, one), loop.register(second.ours, .read, two))
        }
        // Whichever is told first removes both.
        one.onReadable = {
            a.deregister()
            b.deregister()
        }
        two.onReadable = one.onReadable
        loop.turn()
        #expect(log.all.count == 1)
        one.onReadable = nil
        two.onReadable = nil
    }

    @Test("a reused descriptor gets no event of its predecessor")
    func reusedDescriptor() {
        let first = SocketPair()
        let second = SocketPair()
        first.sendToUs()
        second.sendToUs()
        let old = Recorder("old ", log: log)
        let other = Recorder("other ", log: log)
        let new = Recorder("new ", log: log)
        var registrations: [Registration] = []
        let fresh = SocketPair()
        let loop = loop
        func replace(_ registration: Registration, _ descriptor: CInt) {
            // The number goes to a silent socket while an event for it may wait in the batch.
            registration.deregister()
            precondition(dup2(fresh.ours, descriptor) == descriptor)
            registrations.append(loop.register(descriptor, .read, new))
        }
        loop.onLoop {
            let a = loop.register(first.ours, .read, old)
            let b = loop.register(second.ours, .read, other)
            old.onReadable = { replace(b, second.ours) }
            other.onReadable = { replace(a, first.ours) }
        }
        loop.turn()
        #expect(log.all.count == 1)
        #expect(!log.all.contains("new readable"))
        // Lets go of the registrations that are left, and with them of the recorders.
        loop.stop()
        #expect(registrations.allSatisfy { !$0.isActive })
        old.onReadable = nil
        other.onReadable = nil
    }

    @Test("timers fire in the order of their instants, and not before")
    func timers() {
        let late = Recorder("late ", log: log)
        let early = Recorder("early ", log: log)
        let cancelled = Recorder("cancelled ", log: log)
        loop.onLoop {
            _ = loop.schedule(at: clock.now.advanced(by: .milliseconds(20)), late)
            _ = loop.schedule(at: clock.now.advanced(by: .milliseconds(10)), early)
            let timer = loop.schedule(at: clock.now.advanced(by: .milliseconds(5)), cancelled)
            loop.cancel(timer)
            loop.cancel(timer)
        }
        loop.turn()
        #expect(log.all == [])
        clock.advance(by: .milliseconds(10))
        loop.turn()
        #expect(log.all == ["early fire"])
        clock.advance(by: .seconds(1))
        loop.turn()
        #expect(log.all == ["early fire", "late fire"])
    }

    @Test("a flush asked for during a flush happens in the next turn")
    func flushAgain() {
        let recorder = Recorder(log: log)
        let loop = loop
        recorder.onFlush = {
            recorder.onFlush = nil
            loop.flushAtEndOfTurn(recorder)
        }
        loop.onLoop { loop.flushAtEndOfTurn(recorder) }
        loop.turn()
        #expect(log.all == ["flush"])
        loop.turn()
        #expect(log.all == ["flush", "flush"])
    }
}

/// A counter that closures share.
final class CountBox: Sendable {
    let count = Atomic<Int>(0)
}

@Suite("The I/O loop on its thread")
struct IOLoopThreadTests {
    @Test("1,000,000 enqueues from 8 tasks lose no wake-up", .timeLimit(.minutes(2)))
    func wakeUps() async {
        let loop = IOLoop()
        loop.start()
        let box = CountBox()
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for index in 0..<125_000 {
                        if index % 1_000 == 0 {
                            // Waiting for the last one lets the loop fall asleep in between.
                            await withCheckedContinuation { continuation in
                                loop.execute {
                                    box.count.add(1, ordering: .relaxed)
                                    continuation.resume()
                                }
                            }
                        } else {
                            loop.execute { box.count.add(1, ordering: .relaxed) }
                        }
                    }
                }
            }
        }
        loop.stop()
        #expect(box.count.load(ordering: .relaxed) == 1_000_000)
    }

    @Test("actors of one loop run on it, in turn", .timeLimit(.minutes(2)))
    func actors() async {
        let loop = IOLoop()
        loop.start()
        let counter = Counter(loop)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        await counter.increment()
                    }
                }
            }
        }
        #expect(await counter.count == 80_000)
        loop.stop()
    }

    @Test("a timer wakes a sleeping loop", .timeLimit(.minutes(1)))
    func timerWakes() async {
        let loop = IOLoop()
        loop.start()
        for _ in 0..<50 {
            await withCheckedContinuation { continuation in
                loop.execute {
                    let recorder = Recorder(log: Log())
                    recorder.onFire = { continuation.resume() }
                    // Twice the same instant, so that one deadline is spent while another like it comes.
                    let instant = ContinuousClock.now.advanced(by: .microseconds(200))
                    _ = loop.schedule(at: instant, Recorder(log: Log()))
                    _ = loop.schedule(at: instant, recorder)
                }
            }
        }
        loop.stop()
    }

    @Test("stop runs what was enqueued, and a late job still runs", .timeLimit(.minutes(1)))
    func stopDrains() async {
        let loop = IOLoop()
        loop.start()
        let box = CountBox()
        for _ in 0..<10_000 {
            loop.execute { box.count.add(1, ordering: .relaxed) }
        }
        loop.stop()
        #expect(box.count.load(ordering: .relaxed) == 10_000)
        let counter = Counter(loop)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { await counter.increment() }
            }
        }
        #expect(await counter.count == 8)
        loop.stop()
    }

    @Test("a stopped loop may be let go of as soon as its last late job has run", .timeLimit(.minutes(1)))
    func lateJobsAndTheEnd() async {
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<4_000 {
                        // Nobody holds the loop but the actor, and nobody the actor but its job.
                        await Self.counterOfStoppedLoop().increment()
                    }
                }
            }
        }
    }

    private static func counterOfStoppedLoop() -> Counter {
        let loop = IOLoop()
        loop.start()
        loop.stop()
        return Counter(loop)
    }

    @Test("a body that has run is let go of, however long the loop then sleeps", .timeLimit(.minutes(1)))
    func bodiesAreReleased() async {
        final class Ticket: Sendable {
            let onEnd: @Sendable () -> Void
            init(onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }
            deinit { onEnd() }
        }
        let loop = IOLoop()
        loop.start()
        await withCheckedContinuation { continuation in
            let ticket = Ticket { continuation.resume() }
            loop.execute { withExtendedLifetime(ticket) {} }
        }
        loop.stop()
    }

    @Test("stop lets go of handlers and never calls them again", .timeLimit(.minutes(1)))
    func stopReleasesHandlers() async {
        let loop = IOLoop()
        loop.start()
        let pair = SocketPair()
        let log = Log()
        let released = CountBox()
        await withCheckedContinuation { continuation in
            loop.execute {
                final class Last: ReadinessHandler {
                    let released: CountBox
                    init(released: CountBox) { self.released = released }
                    deinit { released.count.add(1, ordering: .relaxed) }
                    func readable() {}
                    func writable() {}
                }
                _ = loop.register(pair.ours, .read, Last(released: released))
                continuation.resume()
            }
        }
        loop.stop()
        #expect(released.count.load(ordering: .relaxed) == 1)
        pair.sendToUs()
        #expect(log.all.isEmpty)
        pair.close()
    }

    @Test("a blocking call runs beside the cooperative pool")
    func blockingCall() async {
        let loop = IOLoop()
        loop.start()
        let isOnLoop = await OSThread.blocking(name: "a name longer than Linux keeps") { loop.isOnLoop }
        #expect(!isOnLoop)
        loop.stop()
    }

    @Test("a peer that has gone is an error, not a signal")
    func brokenPipe() {
        _ = IOLoop.inline()
        let pair = SocketPair()
        _ = close(pair.theirs)
        #expect(write(pair.ours, "x", 1) == -1)
        #expect(errno == EPIPE)
        _ = close(pair.ours)
    }
}
