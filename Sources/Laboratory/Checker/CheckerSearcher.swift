/// One client that searches with random text, used by one thread.
///
/// It asks one instance, whose caches may answer, and another one for the database's answer to the same question.
final class CheckerSearcher {
    private let text: CheckedText
    private let judge: CoherenceJudge
    private let connections: [CheckerConnection]
    private let authorization: String
    private var question: CheckedText.Question?
    private var path = ""
    /// When an instance that did not answer is asked again, by instance.
    private var restingUntil: [Int64]

    init(text: CheckedText, key: String, ports: [Int], judge: CoherenceJudge) {
        self.text = text
        self.judge = judge
        connections = ports.map { CheckerConnection(port: $0) }
        authorization = "Host: 127.0.0.1\r\nAuthorization: Bearer \(key)\r\n"
        restingUntil = ports.map { _ in .min }
    }

    /// What to ask next: mostly the last question again, as it was or written in another way.
    func path(_ random: inout CheckerRandom) -> String {
        if question == nil || random.below(12) == 0 { question = text.question(&random) }
        guard let question else { return "" }
        if path.isEmpty || random.below(3) > 0 { path = text.path(question, &random) }
        return path
    }

    /// An instance, or nil while all that were tried rest.
    func instance(_ random: inout CheckerRandom) -> Int? {
        let instance = random.below(connections.count)
        return restingUntil[instance] < judge.now ? instance : nil
    }

    /// Asks both, and has what differs judged.
    ///
    /// - Parameters:
    ///   - path: Path and query, whose answer nobody changes.
    ///   - instance: Whose caches may answer.
    ///   - other: Who asks the database.
    /// - Returns: Whether both answered.
    func compare(_ path: String, from instance: Int, with other: Int) -> Bool {
        let start = judge.now
        guard let found = ask(path, instance, ""), let right = ask(path, other, "Cache-Control: no-cache\r\n") else {
            return false
        }
        judge.searched()
        guard found.status != right.status || found.body != right.body else { return true }
        judge.report(
            Incoherence(
                rule: .search,
                start: start,
                end: judge.now,
                instance: instance,
                subject: -1,
                required: 0,
                seen: 0,
                source: found.source,
                detail: "GET \(path): \(found.text); the database, asked by instance \(other): \(right.text)"
            )
        )
        return true
    }

    private struct Answer {
        let status: Int
        let body: [UInt8]
        let source: AnswerSource

        var text: String { "\(status) \(String(decoding: body.prefix(300), as: UTF8.self))" }
    }

    private func ask(_ path: String, _ instance: Int, _ fields: String) -> Answer? {
        let request = Array("GET \(path) HTTP/1.1\r\n\(authorization)\(fields)\r\n".utf8)
        guard let answer = try? connections[instance].exchange(request, within: .seconds(2), isRepeatable: true) else {
            judge.failed()
            restingUntil[instance] = judge.now + 100_000
            return nil
        }
        guard answer.status < 500, answer.status != 429 else {
            judge.refused(answer.status)
            return nil
        }
        // The body of a refusal names its request.
        let body = answer.status == 200 ? Array(answer.body) : []
        return Answer(status: answer.status, body: body, source: CheckerSession.source(answer.cacheStatus))
    }
}
