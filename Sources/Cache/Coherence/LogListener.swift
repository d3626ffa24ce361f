/// One who hears what the log retires in this instance.
///
/// Called on the tasks that follow the log, after the scopes were retired: whoever reads then reads anew, and what takes time is done
/// elsewhere.
package protocol LogListener: Sendable {
    /// Rows of the log, or hints of them, were heeded.
    func retired(_ bumps: [LaneStateMachine.Bump])

    /// The place in the log was given up, or everything was retired with it.
    func lostPlace()
}
