import Services
import Testing

@testable import API

@Suite("ClientAddress")
struct ClientAddressTests {
    @Test("an address has one form, whichever way it is written")
    func forms() throws {
        let plain = try #require(IPAddress("192.0.2.1"))
        #expect(IPAddress("::ffff:192.0.2.1") == plain)
        #expect(IPAddress("::ffff:c000:201")?.description == "192.0.2.1")
        #expect(IPAddress("2001:DB8:0:0::1")?.description == "2001:db8::1")
        for text in ["", "192.0.2", "192.0.2.1:80", "192.0.2.256", "::g", "localhost", "1.2.3.4/8", " 1.2.3.4"] {
            #expect(IPAddress(text) == nil, "\(text)")
        }
    }

    @Test("of IPv6 limits count networks, as one host may have every address of its own")
    func limited() throws {
        let one = try #require(IPAddress("2001:db8:1:2::1"))
        #expect(one.limited == IPAddress("2001:db8:1:2:ffff::7")?.limited)
        #expect(one.limited != IPAddress("2001:db8:1:3::1")?.limited)
        #expect(IPAddress("192.0.2.1")?.limited != IPAddress("192.0.2.2")?.limited)
    }

    @Test(
        "a network holds the addresses that begin as it does",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "8.8.8.8", true),
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("172.16.0.0/12", "172.31.9.9", true),
            ("172.16.0.0/12", "172.32.0.1", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false), ("::1", "::1", true), ("::/0", "2001:db8::1", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("0.0.0.0/0", "2001:db8::1", false),
            ("fe80::/65", "fe80::7fff:0:0:1", true), ("fe80::/65", "fe80::8000:0:0:1", false),
        ]
    )
    func ranges(range: String, address: String, isIn: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(#require(IPAddress(address))) == isIn)
    }

    @Test("what is no network is refused", arguments: ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "a/8", "::/129"])
    func noRange(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(
        "the client is the first from the end that is no proxy",
        arguments: [
            // Who sent it to us, what it says, who it is.
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.9,10.0.0.8", "198.51.100.7"),
            ("10.0.0.1", "10.0.0.7, 10.0.0.9", "10.0.0.7"),
            ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
            ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
            ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
            ("10.0.0.1", "nonsense, 10.0.0.9", "10.0.0.9"),
            ("10.0.0.1", "", "10.0.0.1"),
            // A client that makes a field up.
            ("198.51.100.7", "10.0.0.9", "198.51.100.7"),
            ("198.51.100.7", "127.0.0.1, 10.0.0.1", "198.51.100.7"),
        ]
    )
    func forwarded(peer: String, field: String, client: String) throws {
        let proxies = try TrustedProxies(list: "10.0.0.0/8")
        let found = proxies.client(behind: try #require(IPAddress(peer)), forwarded: field)
        #expect(found.description == client)
    }

    @Test("a list says which of its parts is wrong")
    func list() throws {
        #expect(try TrustedProxies(list: "") == TrustedProxies())
        #expect(try TrustedProxies(list: "10.0.0.0/8, ::1").contains(#require(IPAddress("::1"))))
        do throws(InvalidRange) {
            _ = try TrustedProxies(list: "10.0.0.0/8,proxy.example")
            Issue.record("a name was taken")
        } catch {
            #expect(error.part == "proxy.example")
        }
    }
}
