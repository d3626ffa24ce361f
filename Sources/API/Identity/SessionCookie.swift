import HTTPTypes
import Kernel
import Services

/// Where a browser keeps the refresh token of its session: in a cookie that no script can read and no other page can use.
///
/// Of a page the access token is all that scripts hold, so what is smuggled into a page has a quarter of an hour, and nothing to take away.
/// Bodies ask for the cookie by `"cookie": true`; a token that came in it goes out in it, and never in a body.
enum SessionCookie {
    /// What it is called.
    ///
    /// `__Host-` has the browser see to it that it is sent to this host alone and by TLS alone (RFC 6265bis, 4.1.3.2). Pages of
    /// `localhost` may have it without; others over plain HTTP have none.
    static let name = "__Host-stock-session"

    /// How long a session is kept that nobody uses, as ``SignedIn`` says it is.
    private static let lifetime = 14 * 86_400

    /// The field that gives a session to the browser.
    static func field(_ session: SignedIn) -> HTTPField { field(session.refreshToken, seconds: lifetime) }

    /// The field that takes it away.
    static let removal = field("", seconds: 0)

    /// The token that a browser sent.
    ///
    /// - Parameter fields: the values of `Cookie`.
    /// - Returns: The token; nil if there is none.
    static func token(in fields: [String]) -> String? {
        for field in fields {
            for pair in field.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                guard pair.hasPrefix("\(name)=") else { continue }
                return String(pair.dropFirst(name.utf8.count + 1))
            }
        }
        return nil
    }

    private static func field(_ value: String, seconds: Int) -> HTTPField {
        HTTPField(
            name: .setCookie,
            value: "\(name)=\(value); Path=/; Max-Age=\(seconds); Secure; HttpOnly; SameSite=Strict"
        )
    }
}

extension Call {
    /// Refuses what another page has a browser do with the session that it keeps: a cookie is sent whoever asks.
    ///
    /// - Parameter origins: The pages of other origins that may.
    /// - Throws: 403 `forbidden`.
    func checkPage(_ origins: CrossOrigin) throws(Problem) {
        guard origins.mayUseCookies(exchange.page) else {
            throw Problem(
                .forbidden,
                "Only pages of this host, or of an origin that CORS_ORIGINS lists, may use the cookie of a session."
            )
        }
    }
}
