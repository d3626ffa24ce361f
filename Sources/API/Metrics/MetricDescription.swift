/// What a metric means.
package struct MetricDescription: Sendable {
    /// The name.
    package let name: String
    /// What it is.
    package let kind: MetricKind
    /// What it means, in a sentence.
    package let help: String
    /// Whether it has no labels, so that it can be shown at zero before anything was measured.
    package let isZeroFirst: Bool

    private init(_ name: String, _ kind: MetricKind, _ help: String, labels: Bool = false) {
        self.name = name
        self.kind = kind
        self.help = help
        // A gauge that nobody has set would claim that something is zero.
        isZeroFirst = !labels && kind != .gauge
    }

    /// All metrics of the service: the table by which they are explained, and tested.
    package static let all: [MetricDescription] = [
        // The cache; docs/cache.md says when to worry
        .init("stock_cache_requests_total", .counter, "Reads by where they were answered.", labels: true),
        .init("stock_cache_stale_served_total", .counter, "Answers served although retired, as no fill succeeded."),
        .init("stock_cache_store_refused_total", .counter, "Values refused by Redis, retired while computed."),
        .init("stock_cache_lease_wait_seconds", .histogram, "What readers waited for another instance's fill."),
        .init("stock_cache_lease_stolen_total", .counter, "Fills taken over from an instance that vanished."),
        .init("stock_cache_fill_seconds", .histogram, "What computing an answer took.", labels: true),
        .init("stock_cache_bulkhead_refused_total", .counter, "Fills refused, as too many were waiting."),
        .init("stock_cache_outbox_rows", .gauge, "Invalidations committed and not yet logged."),
        .init("stock_cache_outbox_oldest_seconds", .gauge, "The age of the oldest of them."),
        .init("stock_cache_commit_to_apply_seconds", .histogram, "From a commit to its invalidation in Redis."),
        .init("stock_cache_apply_to_l1_seconds", .histogram, "From the log to this instance's memory."),
        .init("stock_cache_hole_total", .counter, "Doubts about having seen every invalidation.", labels: true),
        .init("stock_cache_fresh_age_seconds", .gauge, "How long ago every acknowledged write was applied."),
        .init("stock_cache_unusable_seconds_total", .counter, "Time without serving from caches.", labels: true),
        .init("stock_cache_l2_untrusted_total", .counter, "Answers of Redis that were not believed.", labels: true),
        .init("stock_cache_rotations_total", .counter, "How often all of the cache was retired.", labels: true),
        .init("stock_cache_token_miss_total", .counter, "Cached answers older than the client's token."),
        .init("stock_cache_header_mismatch_total", .counter, "Values of another key or form; alarm above 0."),
        .init("stock_cache_l1_bytes", .gauge, "Bytes in memory, overhead included."),
        .init("stock_cache_l1_evictions_total", .counter, "Answers pushed out of memory by others."),
        .init("stock_cache_usable", .gauge, "1 while the instance may serve from its caches."),
        .init("stock_cache_log_lag_rows", .gauge, "Rows of the log that this instance has not applied yet."),
        // HTTP
        .init("stock_http_requests_total", .counter, "Requests by the status of their answer.", labels: true),
        .init("stock_http_request_seconds", .histogram, "From head to answer, by route and status.", labels: true),
        .init("stock_http_requests_in_flight", .gauge, "Requests without an answer yet."),
        .init("stock_http_answered_at_once_total", .counter, "Requests answered on the event loop, without a task."),
        .init("stock_http_tenant_wait_seconds", .histogram, "What a request waited for its tenant's others."),
        .init("stock_ready", .gauge, "1 while /health/ready answers 200."),
        .init("stock_warm_up_replayed_total", .counter, "Busy requests replayed before the instance was ready."),
        // Events
        .init("stock_event_streams", .gauge, "Streams of events, and requests that wait for one."),
        .init("stock_events_sent_total", .counter, "Events sent, each counted for everybody it was sent to."),
        .init("stock_event_streams_slow_total", .counter, "Streams closed, as their clients took too little."),
        // The shop
        .init("stock_sales_total", .counter, "Sales confirmed by this instance, by currency.", labels: true),
        .init("stock_sales_amount_total", .counter, "What they came to, in units of their currency.", labels: true),
        // Webhooks
        .init("stock_webhook_endpoints_served", .gauge, "Endpoints of webhooks that are served now."),
        .init("stock_webhook_deliveries_total", .counter, "Messages sent, by what came of them.", labels: true),
        .init("stock_webhook_set_aside_total", .counter, "Events set aside after they failed three times."),
        .init("stock_webhook_disabled_total", .counter, "Endpoints switched off, as they did nothing but fail."),
        // Stores
        .init("stock_postgres_connections", .gauge, "Connections that take work.", labels: true),
        .init("stock_postgres_in_flight", .gauge, "Units of work and leases on connections.", labels: true),
        .init("stock_postgres_waiting", .gauge, "Units of work and leases waiting for one.", labels: true),
        .init("stock_postgres_wait_seconds", .histogram, "What they waited for a connection.", labels: true),
        .init("stock_postgres_refused_total", .counter, "Those that got none, by reason.", labels: true),
        .init("stock_postgres_available", .gauge, "1 while both lanes have a connection."),
        .init("stock_postgres_breaker_open", .gauge, "1 while no connection is attempted, after failures."),
        .init("stock_redis_connected", .gauge, "1 while there is a connection to Redis."),
        .init("stock_redis_breaker_open", .gauge, "1 while Redis is left alone, after errors."),
        .init("stock_redis_commands_total", .counter, "Commands by what became of them.", labels: true),
        .init("stock_redis_command_seconds", .histogram, "From a command to its reply."),
        .init("stock_password_hashes_running", .gauge, "Passwords being hashed."),
        .init("stock_password_hashes_waiting", .gauge, "Passwords waiting for that."),
        .init("stock_password_hashes_refused_total", .counter, "Those that found no room; the client got 429."),
        // The process
        .init(
            "stock_io_loop_lag_seconds",
            .gauge,
            "What the last task waited for the thread that owns the stores' sockets."
        ),
        .init("stock_build_info", .gauge, "1; the labels say what runs here.", labels: true),
        .init("process_cpu_seconds_total", .counter, "Processor time of the process, user and system."),
        .init("process_resident_memory_bytes", .gauge, "Memory in use."),
        .init("process_virtual_memory_bytes", .gauge, "Address space in use."),
        .init("process_open_fds", .gauge, "Open files and sockets."),
        .init("process_max_fds", .gauge, "How many there may be."),
        .init("process_threads", .gauge, "Threads."),
        .init("process_start_time_seconds", .gauge, "When the process began, in seconds since 1970."),
    ]
}
