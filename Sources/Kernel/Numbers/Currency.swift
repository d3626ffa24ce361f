/// A currency of ISO 4217 and the number of decimals its amounts have.
package struct Currency: Sendable, Hashable {
    /// Three capital letters.
    package let code: String

    /// The decimals of an amount, 0 to 4.
    package let exponent: Int

    /// Finds a currency in use.
    ///
    /// - Parameter code: The alphabetic code; lower case is accepted. Unknown codes answer `nil`.
    package init?(code: some StringProtocol) {
        let upper = code.uppercased()
        guard upper.utf8.count == 3, Self.codes.contains(upper) else { return nil }
        self.code = upper
        exponent = Self.exponents[upper] ?? 2
    }

    /// The exponents other than two (ISO 4217, list one).
    private static let exponents: [String: Int] = [
        "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
        "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
        "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
        "CLF": 4, "UYW": 4,
    ]

    /// Every code of list one that names money; metals, bond units and test codes have no shop.
    private static let codes: Set<String> = Set(
        """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF \
        CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
        GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP \
        LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB \
        PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
        TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER \
        ZAR ZMW ZWG
        """.split(separator: " ").map(String.init)
    )
}
