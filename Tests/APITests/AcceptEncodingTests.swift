import Testing

@testable import API

@Suite("Accept-Encoding")
struct AcceptEncodingTests {
    @Test(
        "gzip is sent to whoever takes it and would not rather have the plain bytes",
        arguments: [
            "gzip", "GZip", "x-gzip", "br, gzip", "deflate;q=0.5,gzip;q=1.0", "gzip;q=0.001", "*", "*;q=0.1",
            "gzip;q=1.000", " gzip ; q=0.5 ", "identity;q=0, gzip", "identity;q=0.5, *", "gzip;Q=1",
            "gzip;q=0.5, identity;q=0.5", "br;q=x, gzip",
        ]
    )
    func accepted(header: String) {
        #expect(AcceptEncoding.prefersGzip(header))
    }

    @Test(
        "and to nobody else",
        arguments: [
            "", " ", ",", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "gzipped", "gzi",
            "gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=", "gzip;q=-1", "gzip;level=1", "gzip;q=1;x=y",
            "identity, gzip;q=0.5", "identity;q=1, *;q=0.3", ";q=1",
        ]
    )
    func refused(header: String) {
        #expect(!AcceptEncoding.prefersGzip(header))
    }
}
