import Synchronization
import TestSupport
import Testing

/// Holds every answer of an instance against the document that it serves itself.
///
/// The document comes by a client of its own, once, when the first answer is there: no instance serves anything before.
final class ContractWitness: Sendable {
    private let contract = Mutex<Contract?>(nil)

    /// Reads what an instance promises.
    ///
    /// - Parameter port: the instance's port.
    /// - Throws: when the document is not served.
    func read(from port: Int) async throws {
        let document = try await HTTPClient(port: port).send("GET", "/openapi.json")
        try #require(document.status == 200, "\(document.text)")
        contract.withLock { $0 = .shared(document: document.body) }
    }

    /// Notes an issue of the running test for each thing that is not as promised.
    func see(_ method: String, _ path: String, _ answer: HTTPResponse) {
        guard let contract = contract.withLock({ $0 }) else { return }
        let exchange = Contract.Exchange(
            method: method,
            target: path,
            status: answer.status,
            fields: answer.headers,
            body: answer.body
        )
        for fault in contract.faults(of: exchange) { Issue.record("\(method) \(path): \(fault)") }
    }
}
