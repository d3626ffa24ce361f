import Kernel
import TestSupport
import Testing

@testable import Services

/// What needs neither a database nor a receiver: addresses, URLs, secrets, and when things are tried again.
@Suite("Rules of webhooks")
struct WebhookRulesTests {
    @Test(
        "only addresses that the internet reaches are connected to",
        arguments: [
            ("8.8.8.8", true), ("192.0.1.1", true), ("100.63.255.255", true), ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("223.255.255.255", true), ("198.17.0.1", true), ("2606:4700::1111", true), ("2a00:1450:4001::1", true),
            // The machine itself.
            ("127.0.0.1", false), ("127.255.255.254", false), ("0.0.0.0", false), ("0.1.2.3", false), ("::1", false),
            ("::", false),
            // Private, behind a provider, the link with what clouds tell of themselves.
            ("10.0.0.1", false), ("172.16.0.1", false), ("172.31.255.255", false), ("192.168.1.1", false),
            ("100.64.0.1", false), ("100.127.255.255", false), ("169.254.169.254", false), ("fd00:ec2::254", false),
            ("fc00::1", false), ("fe80::1", false), ("fec0::1", false),
            // Examples, protocols, benchmarks.
            ("192.0.0.1", false), ("192.0.2.1", false), ("198.51.100.1", false), ("203.0.113.1", false),
            ("198.18.0.1", false), ("198.19.255.255", false), ("2001:db8::1", false), ("3fff::1", false),
            // Many, everybody, what is reserved.
            ("224.0.0.1", false), ("239.255.255.255", false), ("240.0.0.1", false), ("255.255.255.255", false),
            ("ff02::1", false),
            // An address within another: mapped, compatible, translated, 6to4, Teredo.
            ("::ffff:127.0.0.1", false), ("::ffff:10.0.0.1", false), ("::ffff:8.8.8.8", true), ("::127.0.0.1", false),
            ("::8.8.8.8", false), ("64:ff9b::7f00:1", false), ("64:ff9b::808:808", false), ("64:ff9b:1::1", false),
            ("2002:7f00:1::", false), ("2002:808:808::1", false), ("2001::1", false), ("192.88.99.1", false),
        ]
    )
    func addresses(text: String, isPermitted: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(AddressRule().permits(address) == isPermitted)
        let open = AddressRule(exceptions: try [AddressRange](list: "0.0.0.0/0, ::/0"))
        #expect(open.permits(address))
    }

    @Test("exceptions are networks, and name what they except alone")
    func exceptions() throws {
        let rule = AddressRule(exceptions: try [AddressRange](list: "10.1.0.0/16,::1"))
        #expect(rule.permits(try #require(IPAddress("10.1.255.1"))))
        #expect(rule.permits(try #require(IPAddress("::ffff:10.1.0.9"))))
        #expect(!rule.permits(try #require(IPAddress("10.2.0.1"))))
        #expect(rule.permits(try #require(IPAddress("::1"))))
        #expect(!rule.permits(try #require(IPAddress("127.0.0.1"))))
        #expect(throws: InvalidRange.self) { try [AddressRange](list: "10.0.0.0/8,nowhere") }
    }

    @Test(
        "a URL has one form, which is checked and asked for",
        arguments: [
            ("https://Example.COM", "https://example.com/"),
            ("https://example.com:443/a?b=c", "https://example.com/a?b=c"),
            ("https://example.com:8443/é".replacing("é", with: "%C3%A9"), "https://example.com:8443/%C3%A9"),
            ("https://example.com?x", "https://example.com/?x"), ("http://10.0.0.1:80/x", "http://10.0.0.1/x"),
            ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"), ("https://xn--nand-hqa7n.example/", nil),
            ("https://a_b.example/", nil),
        ] as [(String, String?)]
    )
    func urls(text: String, form: String?) throws {
        let url = try WebhookURL(text)
        #expect(url.text == form ?? text)
        #expect(try WebhookURL(url.text) == url)
    }

    @Test(
        "what is read in several ways is refused",
        arguments: [
            "", "https://", "example.com", "ftp://example.com", "https:///x", "https://ana@example.com",
            "https://ana:secret@example.com/", "https://example.com#x", "https://example.com/#", "https://exa mple.com",
            "https://ñandú.example", "https://example.com\\@10.0.0.1/", "https://example.com:0/",
            "https://example.com:65536/", "https://example.com:/", "https://example.com:80:80/", "https://127.1/",
            "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
            "https://1.2.3.4.5/",
            "https://127.0.0.1./", "https://example..com/", "https://-a.example/", "https://[::1/", "https://[::1]x/",
            "https://[fe80::1%25eth0]/", "https://example.com/\u{7f}", "https://example.com/\n",
            "https://exa%6dple.com/",
        ]
    )
    func refused(text: String) {
        #expect(throws: ReadingFault.self) { try WebhookURL(text) }
    }

    // MARK: Secrets

    private static let first = Array("the first secret of a deployment".utf8)
    private static let second = Array("a second one, which is longer than that".utf8)

    @Test("a sealed secret opens for its endpoint alone, by whichever key has sealed it")
    func sealed() throws {
        let (tenant, id, secret) = (TenantID(rawValue: 7), WebhookID.make(), WebhookSecret.random())
        let old = WebhookSecrets(of: [Self.first])
        let sealed = try old.seal(secret, tenant: tenant, webhook: id)
        #expect(old.open(sealed, tenant: tenant, webhook: id) == secret)
        #expect(try old.seal(secret, tenant: tenant, webhook: id) != sealed)
        #expect(old.open(sealed, tenant: TenantID(rawValue: 8), webhook: id) == nil)
        #expect(old.open(sealed, tenant: tenant, webhook: .make()) == nil)
        #expect(old.open(Array(sealed.dropLast()), tenant: tenant, webhook: id) == nil)
        #expect(old.open([], tenant: tenant, webhook: id) == nil)
        let new = WebhookSecrets(of: [Self.second, Self.first])
        #expect(new.open(sealed, tenant: tenant, webhook: id) == secret)
        #expect(new.isOutdated(sealed) && !old.isOutdated(sealed))
        #expect(WebhookSecrets(of: [Self.second]).open(sealed, tenant: tenant, webhook: id) == nil)
        #expect(throws: Problem.self) { try WebhookSecrets(of: []).seal(secret, tenant: tenant, webhook: id) }
    }

    @Test("messages are signed as Standard Webhooks says")
    func signature() throws {
        let secret = WebhookSecret(bytes: Array(repeating: 7, count: 32))
        #expect(secret.text == "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")
        let signature = secret.signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: Array(#"{"test": 2432232314}"#.utf8)
        )
        // By `hmac.new(key, b"id.timestamp.body", "sha256")` of Python's library.
        #expect(signature == "v1,YO/ulmd+VFtlnbodv7yLOOsS6RlBZ48h++gXZrGOpZo=")
    }

    // MARK: When

    private func message(
        _ reason: NextWebhookMessage.Reason,
        attempts: Int = 0,
        failures: Int = 0,
        asides: Int = 0,
        waiting: Int = 0,
        failingSince: Timestamp? = nil
    ) -> NextWebhookMessage.Row {
        NextWebhookMessage.Row(
            sequence: 1,
            reason: reason,
            type: "sale.confirmed",
            body: "{}",
            attempts: attempts,
            failures: failures,
            asides: asides,
            waiting: waiting,
            failingSince: failingSince,
            url: "https://example.com/",
            secret: [],
            previousSecret: nil
        )
    }

    private func outcome(_ message: NextWebhookMessage.Row, _ now: Timestamp = .now()) -> WebhookSchedule.Outcome {
        WebhookSchedule.outcome(ofFailed: message, at: now, jitter: 0)
    }

    @Test("an event is tried three times within a minute, and then set aside")
    func inOrder() {
        #expect(outcome(message(.event)) == .retried(.seconds(5)))
        #expect(outcome(message(.event, attempts: 1)) == .retried(.seconds(30)))
        #expect(outcome(message(.event, attempts: 2)) == .setAside(.seconds(300)))
        #expect(outcome(message(.event, attempts: 2, asides: 2, waiting: 99)) == .setAside(.seconds(300)))
    }

    @Test("where nothing comes through the endpoint stays where it is, and tries ever more rarely")
    func down() {
        #expect(outcome(message(.event, attempts: 2, asides: 3)) == .retried(.seconds(300)))
        #expect(outcome(message(.event, attempts: 2, waiting: 100)) == .retried(.seconds(300)))
        #expect(outcome(message(.event, attempts: 3, asides: 3)) == .retried(.seconds(900)))
        #expect(outcome(message(.event, attempts: 99, asides: 3)) == .retried(.seconds(3_600)))
        let now = Timestamp.now()
        #expect(outcome(message(.event, failingSince: now.adding(.seconds(-86_399))), now) == .retried(.seconds(5)))
        #expect(outcome(message(.event, failingSince: now.adding(.seconds(-86_400))), now) == .disabled)
        #expect(outcome(message(.setAside, failingSince: now.adding(.seconds(-86_400))), now) == .disabled)
    }

    @Test("what was set aside is tried for two days, a test once")
    func aside() {
        let delays: [Int64] = (0...5).compactMap { failures in
            guard case .retried(let delay) = outcome(message(.setAside, attempts: 3, failures: failures)) else {
                return nil
            }
            return delay.components.seconds
        }
        #expect(delays == [1_800, 7_200, 21_600, 54_000, 86_400])
        #expect(outcome(message(.setAside, attempts: 8, failures: 5)) == .givenUp)
        #expect(outcome(message(.redelivery)) == .retried(.seconds(300)))
        #expect(outcome(message(.redelivery, failures: 6)) == .givenUp)
        #expect(outcome(message(.test)) == .givenUp)
        let late = WebhookSchedule.outcome(ofFailed: message(.event), at: .now(), jitter: 0.999)
        #expect(late > .retried(.seconds(5)) && late < .retried(.milliseconds(5_500)))
    }
}

extension WebhookSchedule.Outcome {
    private var delay: Duration? { if case .retried(let delay) = self { delay } else { nil } }

    fileprivate static func < (left: Self, right: Self) -> Bool {
        guard let left = left.delay, let right = right.delay else { return false }
        return left < right
    }

    fileprivate static func > (left: Self, right: Self) -> Bool { right < left }
}
