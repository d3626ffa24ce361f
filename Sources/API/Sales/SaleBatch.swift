import Cache
import Crypto
import Kernel
import NIOCore
import Services

/// One sale of a batch: under a key of its own, and read by itself, so that one that is malformed refuses no other.
struct KeyedSale: Sendable {
    let key: String
    let sale: JSONValue

    /// Reads one of `sales[]`.
    static func read(_ reader: inout JSONObjectReader) -> KeyedSale {
        KeyedSale(
            key: reader.required("key", else: "", .idempotencyKey),
            sale: reader.required("sale", else: .null, FieldReading(SaleRequest.body.schema) { value, _, _ in value })
        )
    }
}

extension SaleRequest {
    /// The body of `POST /v1/sales`.
    static let body = Body("SaleRequest") { SaleRequest.read(&$0) }
}

extension FieldReading where Value == String {
    /// What stands for an `Idempotency-Key` in a body.
    fileprivate static var idempotencyKey: FieldReading {
        FieldReading<String>.string.described(as: .string(maximum: 255)).map { text in
            Call.idempotencyKey(in: text).map { .success($0) }
                ?? .failure(ReadingFault(.format, "Must be 1 to 255 visible ASCII characters."))
        }
    }
}

extension Call {
    /// Sells what a batch says, one after the other: each is a unit of its own with a key of its own, as if it had come alone.
    ///
    /// - Parameters:
    ///   - sales: The sales.
    ///   - shop: Sells.
    /// - Returns: 200 with what became of each, in their order.
    /// - Throws: What keeps all of them from being asked.
    func sell(_ sales: [KeyedSale], _ shop: Shop) async throws(Problem) -> Reply {
        var context = try self.context()
        var answers: [Answer] = []
        for sale in sales {
            let answer = await sell(sale, context, shop)
            // What one has written, the token of the next covers, too; so the last one's covers all.
            if let text = answer.consistency {
                context.token = ConsistencyToken(parsing: text, tenant: context.tenant.rawValue) ?? context.token
            }
            answers.append(answer)
        }
        let reply = Reply.json { writer in
            writer.object { writer in
                writer.name("data")
                writer.array { writer in
                    for (sale, answer) in zip(sales, answers) { Self.write(sale, answer, to: &writer) }
                }
            }
        }
        return reply.with(consistency: answers.last { $0.consistency != nil }?.consistency)
    }

    private static func write(_ sale: KeyedSale, _ answer: Answer, to writer: inout JSONWriter) {
        writer.object { writer in
            let isSold = answer.status < 400
            writer.member("key", sale.key)
            writer.member("status", answer.status)
            writer.member("replayed", answer.replayed)
            writer.name("sale")
            if isSold { writer.raw(answer.body.readableBytesView) } else { writer.null() }
            writer.name("problem")
            if isSold { writer.null() } else { writer.raw(answer.body.readableBytesView) }
        }
    }

    private func sell(_ sale: KeyedSale, _ context: CallContext, _ shop: Shop) async -> Answer {
        // As the route of one sale has it, so that one may be sent again by either.
        let key = IdempotencyKey(
            route: "POST /v1/sales",
            key: sale.key,
            requestHash: Array(SHA256.hash(data: sale.sale.canonicalBytes))
        )
        do throws(Problem) {
            var reader = try JSONObjectReader(body: sale.sale)
            let request = SaleRequest.read(&reader)
            try reader.finish()
            return try await shop.sales.take(request, context, key: key)
        } catch {
            let refusal = answer(error)
            guard error.code.isStoredRefusal else { return refusal }
            // Of another sale under the same key it is that, whatever is wrong with this one.
            do throws(Problem) { return try await shop.store.remember(refusal, context, key: key) } catch {
                return answer(error)
            }
        }
    }

    private func answer(_ problem: Problem) -> Answer {
        let document = problem.reply(requestID: exchange.requestID, instance: "/v1/sales")
        return Answer(status: problem.code.status, body: document.body)
    }
}
