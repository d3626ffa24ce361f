import Synchronization

/// How far the writers of a test have come.
final class Progress: Sendable {
    let isOver = Atomic<Bool>(false)
    let written = Atomic<Int>(0)
}
