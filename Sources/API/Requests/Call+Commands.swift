import Cache
import HTTPTypes
import HummingbirdCore
import Kernel
import NIOCore
import Services

extension Call {
    /// Answers what is never cached: from the database.
    ///
    /// - Parameters:
    ///   - read: What is asked for.
    ///   - context: Who asks.
    ///   - store: Asks for it.
    ///   - isTagged: Whether the answer has the entity tag by which it is changed.
    /// - Returns: The body.
    /// - Throws: 404 `not_found`, or what kept the statement from answering.
    func fresh(
        _ read: CachedRead,
        _ context: CallContext,
        _ store: Store,
        isTagged: Bool = false
    ) async throws(Problem) -> Reply {
        var context = context
        context.bypassCache = true
        let answer = try await store.answer(read, context)
        guard let body = answer.body else { throw .notFound }
        var reply = Reply(.ok, body: body)
        if isTagged { reply.append(.eTag, answer.etag) }
        return reply.with(eventSequence: answer.eventSequence)
    }

    /// Runs a command whose request may have an idempotency key.
    ///
    /// A refusal of the business is kept beside the key as the document it became, so that the same request is refused
    /// with the same bytes; or answered by the record of a twin that came first.
    ///
    /// - Parameters:
    ///   - store: Keeps the refusal.
    ///   - key: The request's key, if it has one.
    ///   - work: Runs the command.
    /// - Returns: The answer.
    /// - Throws: What is no refusal of the business.
    func command(
        _ store: Store,
        _ key: IdempotencyKey?,
        _ work: (CallContext) async throws(Problem) -> Answer
    ) async throws(Problem) -> Reply {
        let context = try self.context()
        do throws(Problem) {
            return reply(try await work(context))
        } catch {
            guard let key, error.code.isStoredRefusal else { throw error }
            let document = error.reply(requestID: exchange.requestID, instance: String(exchange.path))
            let refusal = Answer(status: error.code.status, body: document.body)
            return reply(try await store.remember(refusal, context, key: key))
        }
    }
}
