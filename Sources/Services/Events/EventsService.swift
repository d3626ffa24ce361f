import Cache
package import Kernel
package import Postgres

/// What happened in a tenant, by its numbers.
package struct EventsService: Sendable {
    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [ReadEvents.self]

    /// Those who wait for events.
    package let hub: EventHub

    private let store: Store

    /// Makes the service; ``EventHub/run()`` is to be run beside it.
    ///
    /// - Parameters:
    ///   - store: Runs its statements, and follows the log.
    ///   - waiting: What waiting for events may cost.
    package init(store: Store, waiting: EventHub.Limits = EventHub.Limits()) {
        self.store = store
        hub = EventHub(cache: store.cache, limits: waiting) { (tenant, after, limit) throws(Problem) in
            try await Self.page(store, tenant, after: after, limit: limit, deadline: .now + .seconds(2))
        }
        store.cache.lane.tell(hub)
    }

    /// The events after a number.
    ///
    /// - Parameters:
    ///   - tenant: Whose.
    ///   - after: The number; nil for those from the oldest on.
    ///   - limit: How many at most.
    ///   - deadline: When the caller gives up.
    /// - Returns: The page.
    /// - Throws: 410 `events_pruned` if the next event is not there any more, or there never was one of that number.
    package func page(
        of tenant: TenantID,
        after: Int64?,
        limit: Int,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> EventPage {
        try await Self.page(store, tenant, after: after, limit: limit, deadline: deadline)
    }

    /// Where a tenant's events end now, for whoever wants what comes from here on.
    ///
    /// - Parameters:
    ///   - tenant: Whose.
    ///   - deadline: When the caller gives up.
    /// - Returns: A page of nothing.
    /// - Throws: What kept the database from answering.
    package func end(of tenant: TenantID, deadline: ContinuousClock.Instant) async throws(Problem) -> EventPage {
        let page = try await Self.page(store, tenant, after: nil, limit: 1, deadline: deadline)
        return EventPage(events: [], first: page.first, head: page.head, last: page.head)
    }

    private static func page(
        _ store: Store,
        _ tenant: TenantID,
        after: Int64?,
        limit: Int,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> EventPage {
        let rows = try await store.query(ReadEvents(after: after, limit: limit), tenant: tenant, deadline: deadline)
        guard let bounds = rows.first else { throw Problem(.internalError, "A page of events says nothing.") }
        let after = after ?? bounds.first - 1
        guard after >= bounds.first - 1 else {
            throw gone("The events up to \(bounds.first - 1) are not kept any more", begin: bounds.first - 1)
        }
        guard after <= bounds.head else {
            // The database was restored, or the number is made up.
            throw gone("The newest event is \(bounds.head)", begin: bounds.head)
        }
        let events = rows.compactMap(\.event)
        return EventPage(
            events: events,
            first: bounds.first,
            head: bounds.head,
            last: events.last?.sequence ?? after
        )
    }

    private static func gone(_ why: String, begin: Int64) -> Problem {
        Problem(
            .eventsPruned,
            "\(why). Read what you mirror anew, and go on with after=\(begin).",
            errors: [
                FieldError("?after", .eventsPruned, "Begin anew at \(begin).", extra: [("after", String(begin))])
            ]
        )
    }
}
