package import Kernel

/// Where somebody works.
package enum Workplaces: Sendable, Equatable {
    /// At every location, as an API key does, and those that will be made.
    case everywhere
    /// At these locations alone; nowhere, if there are none.
    case only([LocationID])

    /// As a membership keeps it and bodies say it: none is named by who works everywhere.
    ///
    /// - Parameter named: The locations that a membership names.
    package init(named: [LocationID]) { self = named.isEmpty ? .everywhere : .only(named) }

    /// The locations that a body names.
    package var named: [LocationID] {
        switch self {
        case .everywhere: []
        case .only(let locations): locations
        }
    }
}
