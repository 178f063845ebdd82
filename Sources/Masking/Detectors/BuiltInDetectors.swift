/// The detectors that come with the program. docs/detectors.md tells of each; Tests/Detectors has their corpora.
extension Detector {
    public static let builtIn: [Detector] = personal + addresses + cloud + tokens + secrets

    public static func named(_ id: String) -> Detector? { builtIn.first { $0.id == id } }

    private static let notNumbers = [
        "order", "invoice", "tracking", "ticket", "timestamp", "serial", "sku", "isbn", "version", "commit", "request", "transaction id",
        "reference", "part no", "build", "batch",
    ]

    private static let personal: [Detector] = [
        Detector(
            id: "email", summary: "Email addresses",
            filters: [#"[0-9A-Za-z_%+~\x80-\xff-]@[0-9A-Za-z\x80-\xff]"#],
            locator:
                #"[A-Za-z0-9_%+~\x80-\xff](?:[A-Za-z0-9._%+~'\x80-\xff-]{0,63}+)@(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?\.){1,8}[A-Za-z\x80-\xff]{2,24}(?![A-Za-z0-9])"#,
            check: Checks.email, keywords: ["email", "e-mail", "mail"], raised: 0.9,
            // The password and host of a URL look like one.
            yields: ["url-password"]),
        Detector(
            id: "card", summary: "Payment card numbers, by issuer, length and Luhn check digit",
            filters: ["[0-9]{12}", "[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}", "[0-9]{4}[ -][0-9]{6}[ -][0-9]"],
            locator:
                #"(?<![0-9A-Za-z])(?<![0-9][.-])([0-8][0-9]{11,18}|[2-8][0-9]{3}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{1,4}(?:\2[0-9]{1,3})?|3[0-9]{3}([ -])[0-9]{6}\3[0-9]{4,5})(?![0-9A-Za-z]|[.-][0-9])"#,
            check: Checks.card,
            keywords: ["card", "credit", "visa", "mastercard", "amex", "pan", "cc", "payment", "kreditkarte", "carte"], raised: 0.95,
            contraries: notNumbers, lowered: 0.4, longest: 64),
        Detector(
            id: "us-ssn", summary: "US social security numbers; without hyphens only near a word for them",
            filters: ["[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}", "(?i:ssn|social.?security|tax.?id|taxpayer)"],
            locator:
                #"(?<![0-9A-Za-z])(?<![0-9A-Za-z][.-])(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}|[0-9]{9})(?![0-9A-Za-z]|[.-][0-9A-Za-z])"#,
            check: Checks.socialSecurity, keywords: ["ssn", "social security", "social_security", "socialsecurity", "tax id", "taxpayer"],
            contraries: notNumbers, lowered: 0.3, longest: 64),
        Detector(
            id: "iban", summary: "International bank account numbers, by country, length and check digits",
            filters: ["[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}"],
            locator: #"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,8}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"#,
            check: Checks.iban, keywords: ["iban", "account", "konto", "compte"], raised: 0.98, longest: 64),
        Detector(
            id: "phone", summary: "Telephone numbers: international, North American, and national ones near a word for them",
            filters: [
                #"(?:\+|(?:^|[^0-9])00)[1-9][0-9 ().-]{4}"#, #"[0-9]{3}(?:\) ?|[-. ])[0-9]{3}[-. ][0-9]{4}"#,
                #"(?:^|[^0-9])0(?:[0-9]{2,4}(?:\) ?| )[0-9]{3}|[0-9](?: [0-9]{2}){4})"#,
                "(?i:phone|mobile|telefon|(?:^|[^a-z])(?:tel|cell|fax|handy|call|sms|whatsapp)(?:[^a-z]|$))",
            ],
            locator:
                #"(?<![0-9A-Za-z+])(?<![0-9][.:-])((?:\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}|(?:(?:00)?1[-. ])?\(?[2-9][0-9]{2}(?:\) ?|[-. ])[2-9][0-9]{2}[-. ][0-9]{4}|\(?[0-9](?:[ ()./-]{0,2}[0-9]){6,12})(?: ?(?:x|ext\.? ?)[0-9]{1,6})?)(?![0-9A-Za-z]|[.:-][0-9])"#,
            check: Checks.phone,
            keywords: ["phone", "tel", "mobile", "cell", "fax", "telefon", "handy", "call", "sms", "whatsapp"], raised: 0.85,
            contraries: notNumbers + ["id"], lowered: 0.3, longest: 64),
    ]

    private static let addresses: [Detector] = [
        Detector(
            id: "ipv4", summary: "IPv4 addresses that may be somebody's",
            filters: [#"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"#],
            locator:
                #"(?<![0-9A-Za-z.])(?<![0-9A-Za-z]-)(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?![0-9A-Za-z]|\.[0-9A-Za-z]|-[A-Za-z])"#,
            check: Checks.ipv4, keywords: ["ip", "address", "host", "client", "remote", "peer", "from", "source"], raised: 0.85,
            contraries: ["version", "ver", "release", "build", "firmware", "upgrade", "section", "oid", "chapter"], lowered: 0.25,
            longest: 64),
        Detector(
            id: "ipv6", summary: "IPv6 addresses that may be somebody's",
            filters: [#"(?:[0-9A-Fa-f]{1,4}:){4}"#, #"[0-9A-Fa-f]::[0-9A-Fa-f]"#],
            locator: #"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{1,4}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:.])"#,
            check: Checks.ipv6, keywords: ["ip", "ipv6", "address", "host", "client", "remote", "peer"], raised: 0.9, longest: 64),
    ]

    private static let cloud: [Detector] = [
        Detector(
            id: "aws-access-key", summary: "AWS access key ids",
            filters: ["A[KS]IA[A-Z2-7]{6}"], locator: #"(?<![A-Za-z0-9])A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])"#,
            check: .always(0.9), keywords: ["aws", "key"], longest: 64),
        Detector(
            id: "aws-secret-key", summary: "AWS secret access keys, by the word before them",
            filters: ["(?i:secret.?(?:access)?.?key|aws.?secret)"],
            locator: #"(?i:secret.?(?:access)?.?key|aws.?secret)[^A-Za-z0-9/+\n]{1,12}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"#,
            check: Checks.random(0.9), keywords: ["aws"], longest: 128, tail: .token),
        Detector(
            id: "gcp-api-key", summary: "Google API keys",
            filters: ["AIza[0-9A-Za-z_-]{6}"], locator: "(?<![A-Za-z0-9_-])AIza[0-9A-Za-z_-]{35}(?![A-Za-z0-9_-])",
            check: .always(0.95), longest: 64),
        Detector(
            id: "gcp-service-account", summary: "Key ids in the files of Google service accounts; their keys are found by private-key",
            filters: ["private_key_id"],
            locator: #"private_key_id\\?"\s{0,4}:\s{0,4}\\?"([0-9a-f]{40})\\?""#, check: .always(0.95), longest: 128),
        Detector(
            id: "azure-storage-key", summary: "Azure storage account keys, by the word before them",
            filters: ["(?i:account.?key|storage.?key)"],
            locator: #"(?i:account.?key|storage.?key)[^A-Za-z0-9+/\n]{1,6}([A-Za-z0-9+/]{86}==)"#, check: Checks.random(0.95), longest: 160,
            tail: .token),
    ]

    private static let tokens: [Detector] = [
        Detector(
            id: "github-token", summary: "GitHub tokens",
            filters: ["gh[pousr]_[A-Za-z0-9]{4}", "github_pat_"],
            locator: "(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})(?![A-Za-z0-9_])",
            check: .always(0.97), longest: 320, tail: .token),
        Detector(
            id: "gitlab-token", summary: "GitLab tokens",
            filters: ["gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{4}"],
            locator: "(?<![A-Za-z0-9_-])gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,128}(?![A-Za-z0-9_-])",
            check: .always(0.95), longest: 160, tail: .token),
        Detector(
            id: "slack-token", summary: "Slack tokens and webhooks",
            filters: ["xox[abeoprs]-[0-9A-Za-z-]{4}", "xapp-[0-9]-", #"hooks\.slack\.com/services/T"#],
            locator:
                #"(?|(?<![A-Za-z0-9])((?:xox[abeoprs]-[0-9A-Za-z-]{10,250}+|xapp-[0-9]-[A-Z0-9]{8,16}-[0-9A-Za-z-]{10,250}+))|hooks\.slack\.com/services/(T[A-Z0-9]{6,16}/B[A-Z0-9]{6,16}/[A-Za-z0-9]{16,32}))"#,
            check: Detector.Check { $0.contains(where: Checks.isDigit) ? .init(0.95, $0.count) : nil }, longest: 320, tail: .token),
        Detector(
            id: "stripe-key", summary: "Stripe secret and restricted keys, webhook secrets",
            filters: ["[sr]k_(?:live|test)_[0-9A-Za-z]{4}", "whsec_"],
            locator: "(?<![A-Za-z0-9_])(?:[sr]k_(?:live|test)_[0-9A-Za-z]{16,247}+|whsec_[0-9A-Za-z]{24,64}+)(?![A-Za-z0-9_])",
            check: .always(0.97), longest: 320, tail: .token),
        Detector(
            id: "llm-key", summary: "Keys of OpenAI and Anthropic",
            filters: ["sk-(?:ant|proj|svcacct|admin)", "T3BlbkFJ"],
            locator:
                "(?<![A-Za-z0-9_-])sk-(?:(?:ant|proj|svcacct|admin)[A-Za-z0-9]{0,5}-[A-Za-z0-9_-]{32,250}+|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}(?![A-Za-z0-9]))",
            check: Checks.random(0.95), longest: 320, tail: .token),
        Detector(
            id: "jwt", summary: "JSON web tokens whose header can be read",
            filters: ["eyJ[A-Za-z0-9_-]{6}"],
            locator:
                #"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{9,2000}+\.[A-Za-z0-9_-]{0,9000}+\.[A-Za-z0-9_-]{0,2000}+(?:\.[A-Za-z0-9_-]{1,2000}+\.[A-Za-z0-9_-]{1,200}+)?"#,
            check: Checks.jwt, longest: DetectorSet.longestMatch, tail: .token),
    ]

    private static let secrets: [Detector] = [
        Detector(
            id: "private-key", summary: "Private keys in PEM, to their end or to where they are cut",
            filters: ["-----BEGIN "],
            locator:
                #"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,.()\\]++|-(?!----))*+(?:-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"#,
            check: Detector.Check { $0.count > 80 ? .init(0.99, $0.count) : nil }, longest: DetectorSet.longestMatch, tail: .block),
        Detector(
            id: "url-password", summary: "Passwords, tokens and keys in URLs",
            filters: [
                #"://[^\s/:@?#"'<>]*:[^\s/@?#"'<>]+@"#,
                "[?&](?i:password|passwd|pwd|secret|client_secret|access_token|token|api_?key)=",
            ],
            locator:
                #"(?|[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@?#"'<>]{0,128}:([^\s/@?#"'<>]{1,256})@(?=[A-Za-z0-9\[_.-])|[?&](?i:password|passwd|pwd|secret|client_secret|access_token|token|api_?key)=([^&\s"'<>#]{4,512}))"#,
            check: Checks.password, longest: 1_024, tail: .token),
    ]
}
