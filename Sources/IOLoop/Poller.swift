private import CEpoll
private import Glibc

/// The three descriptors of one loop: epoll, an eventfd that wakes it and a timerfd that limits its sleep.
///
/// They are closed when the loop is deallocated and not when it stops: a late wake-up must never write into a descriptor
/// that somebody else was given meanwhile.
///
/// Safe because the event buffer is allocated and freed with the value and read only up to the count that epoll returned.
@safe
struct Poller: ~Copyable {
    /// A readiness reported by the kernel, as (registration id, descriptor).
    struct Event {
        let registrationID: UInt32
        let descriptor: CInt
        let isReadable: Bool
        let isWritable: Bool
    }

    private static let capacity = 256

    private let epoll: CInt
    private let wake: CInt
    private let timer: CInt
    private let buffer: UnsafeMutableBufferPointer<epoll_event>

    init() {
        epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        wake = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
        // BOOTTIME is the clock of ContinuousClock: it goes on while the machine is suspended.
        timer = timerfd_create(CLOCK_BOOTTIME, CInt(TFD_CLOEXEC) | CInt(TFD_NONBLOCK))
        unsafe buffer = .allocate(capacity: Self.capacity)
        precondition(epoll >= 0 && wake >= 0 && timer >= 0, "an I/O loop needs three file descriptors: errno \(errno)")
        add(wake, id: 0, interest: .read)
        add(timer, id: 0, interest: .read)
    }

    deinit {
        _ = Glibc.close(epoll)
        _ = Glibc.close(wake)
        _ = Glibc.close(timer)
        unsafe buffer.deallocate()
    }

    func add(_ descriptor: CInt, id: UInt32, interest: IOLoop.Interest) {
        control(CInt(EPOLL_CTL_ADD), descriptor, id: id, interest: interest)
    }

    func modify(_ descriptor: CInt, id: UInt32, interest: IOLoop.Interest) {
        control(CInt(EPOLL_CTL_MOD), descriptor, id: id, interest: interest)
    }

    func remove(_ descriptor: CInt) {
        // A failure means that the kernel forgot it already.
        _ = epoll_ctl(epoll, CInt(EPOLL_CTL_DEL), descriptor, nil)
    }

    private func control(_ operation: CInt, _ descriptor: CInt, id: UInt32, interest: IOLoop.Interest) {
        var event = unsafe epoll_event()
        unsafe event.events =
            (interest.contains(.read) ? EPOLLIN.rawValue : 0) | (interest.contains(.write) ? EPOLLOUT.rawValue : 0)
        unsafe event.data.u64 = UInt64(id) << 32 | UInt64(UInt32(bitPattern: descriptor))
        let result = unsafe epoll_ctl(epoll, operation, descriptor, &event)
        precondition(result == 0, "epoll refused descriptor \(descriptor): errno \(errno)")
    }

    /// Makes a sleeping loop return from ``wait(mayBlock:_:)``; callable from any thread.
    func signal() {
        var one: UInt64 = 1
        while unsafe write(wake, &one, 8) < 0, errno == EINTR {}
    }

    /// Limits the next sleep to so many nanoseconds.
    func setTimer(nanosecondsFromNow: Int64) {
        var setting = itimerspec()
        // Zero would disarm it.
        let nanoseconds = max(nanosecondsFromNow, 1)
        setting.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
        setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        _ = unsafe timerfd_settime(timer, 0, &setting, nil)
    }

    /// Waits for events and hands out those of registered descriptors.
    ///
    /// - Parameters:
    ///   - mayBlock: Whether to sleep until something happens.
    ///   - body: Receives each event, in the kernel's order.
    /// - Returns: The number of events handed out, and whether the timer has expired and is no longer set.
    func wait(mayBlock: Bool, _ body: (Event) -> Void) -> (delivered: Int, timerExpired: Bool) {
        let count = unsafe epoll_wait(epoll, buffer.baseAddress, CInt(Self.capacity), mayBlock ? -1 : 0)
        guard count > 0 else { return (0, false) }
        var delivered = 0
        var timerExpired = false
        for index in 0..<Int(count) {
            let raw = unsafe buffer[index]
            let word = unsafe raw.data.u64
            let descriptor = CInt(truncatingIfNeeded: word)
            let id = UInt32(truncatingIfNeeded: word >> 32)
            guard id != 0 else {
                drain(descriptor)
                timerExpired = timerExpired || descriptor == timer
                continue
            }
            let failed = unsafe raw.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            delivered += 1
            body(
                Event(
                    registrationID: id,
                    descriptor: descriptor,
                    isReadable: unsafe failed || raw.events & EPOLLIN.rawValue != 0,
                    isWritable: unsafe failed || raw.events & EPOLLOUT.rawValue != 0
                )
            )
        }
        return (delivered, timerExpired)
    }

    private func drain(_ descriptor: CInt) {
        var count: UInt64 = 0
        while unsafe read(descriptor, &count, 8) < 0, errno == EINTR {}
    }
}
