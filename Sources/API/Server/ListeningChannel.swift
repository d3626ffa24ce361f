import NIOCore
import Synchronization

/// The channel that accepts, for the moment in which that ends.
///
/// The kernel completes connections and queues them for whoever accepts; closing the listener resets all that are in the queue, and
/// their clients have sent requests already. A balancer that asks no health checks learns of the end by nothing else, so some would
/// be lost with every restart. So first nothing new is let into the queue, then what is in it is served, and then it is closed.
final class ListeningChannel: Sendable {
    private let channel = Mutex<(any Channel)?>(nil)

    /// Remembers the channel.
    func began(_ channel: any Channel) {
        self.channel.withLock { $0 = channel }
    }

    /// Lets nothing new into the queue: the kernel ignores the first packet of a connection from now on.
    ///
    /// Whoever connects sends it again after a second, and by then is refused, which costs nobody anything: nothing was sent yet. What
    /// is not supported is left out; a balancer that looks away in time needs none of it.
    ///
    /// - Returns: Whether the kernel does so; some leave it to root.
    func stopQueueing() async -> Bool {
        guard let channel = self.channel.withLock({ $0 }), let options = channel as? any SocketOptionProvider else {
            return false
        }
        #if os(Linux)
        let program = UnsafeMutableBufferPointer<Instruction>.allocate(capacity: Self.ignoringNewConnections.count)
        _ = program.initialize(from: Self.ignoringNewConnections)
        defer { program.deallocate() }
        guard let address = program.baseAddress else { return false }
        let attached: Void? = try? await options.unsafeSetSocketOption(
            level: .socket,
            name: NIOBSDSocket.Option(rawValue: Self.attachFilter),
            value: Program(count: UInt16(program.count), address: UInt(bitPattern: address))
        ).get()
        return attached != nil
        #else
        return false
        #endif
    }

    #if os(Linux)
    /// `SO_ATTACH_FILTER` of Linux, which its headers show to C alone: a program of the classic packet filter decides about each packet.
    private static let attachFilter: CInt = 26

    /// `struct sock_filter`.
    private struct Instruction {
        let code: UInt16
        let ifTrue: UInt8
        let ifFalse: UInt8
        let value: UInt32

        init(_ code: UInt16, _ value: UInt32, ifTrue: UInt8 = 0, ifFalse: UInt8 = 0) {
            self.code = code
            self.ifTrue = ifTrue
            self.ifFalse = ifFalse
            self.value = value
        }
    }

    /// `struct sock_fprog`; the address is that of the instructions, which the kernel copies.
    private struct Program: Sendable {
        let count: UInt16
        private let padding: (UInt16, UInt16, UInt16) = (0, 0, 0)
        let address: UInt

        init(count: UInt16, address: UInt) {
            self.count = count
            self.address = address
        }
    }

    /// Drops what has SYN and not ACK among the flags of its TCP header (byte 13), and takes everything else.
    private static let ignoringNewConnections = [
        Instruction(0x30, 13),
        Instruction(0x54, 0x12),
        Instruction(0x15, 0x02, ifFalse: 1),
        Instruction(0x06, 0),
        Instruction(0x06, .max),
    ]
    #endif
}
