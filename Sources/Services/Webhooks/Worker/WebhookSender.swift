/// What is sent to an endpoint at once.
package struct WebhookMessage: Sendable {
    /// The same for every try of an event, so that who gets it twice knows.
    package let id: String
    /// When this try was made, in seconds since 1970.
    package let timestamp: Int64
    /// One signature, or two separated by a space while a secret takes over from another.
    package let signatures: String
    /// The event as JSON.
    package let body: [UInt8]
}

/// What came back.
package struct WebhookReply: Sendable {
    /// Why there was no answer.
    package enum Fault: String, CaseIterable, Sendable {
        /// Nothing was heard for as long as there is.
        case timeout
        /// The name leads nowhere.
        case unresolved
        /// It leads to an address that may not be connected to.
        case refusedAddress = "refused_address"
        /// Nobody took the connection, or it broke.
        case connection
        /// The server did not prove its name.
        case tls
        /// The connection ended before the answer, or what came was none.
        case closed
        /// The endpoint's secret can not be read, or its address not be used, by this deployment.
        case secretUnreadable = "secret_unreadable"
    }

    /// The status, if there was an answer.
    package var code: Int?
    /// Why there was none.
    package var fault: Fault?
    /// How it begins: 1 KiB at most, what is no text replaced.
    package var answer: String?
    /// How long it took.
    package var duration: Duration

    /// Makes a reply.
    package init(code: Int? = nil, fault: Fault? = nil, answer: String? = nil, duration: Duration = .zero) {
        self.code = code
        self.fault = fault
        self.answer = answer
        self.duration = duration
    }

    /// Whether the event has been taken over there.
    package var isSuccess: Bool { code.map { (200...299).contains($0) } ?? false }
}

/// What takes messages to endpoints.
package protocol WebhookSender: Sendable {
    /// Sends a message, once.
    ///
    /// - Parameters:
    ///   - message: What.
    ///   - url: Where to.
    /// - Returns: What came back, after the time that a try may take at the latest.
    func send(_ message: WebhookMessage, to url: WebhookURL) async -> WebhookReply
}
