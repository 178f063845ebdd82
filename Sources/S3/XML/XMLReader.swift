/// An element of a document, with its text where it has no elements.
struct XMLElement: Sendable, Hashable {
    /// Without a namespace's prefix.
    var name: String
    var text = ""
    var children: [XMLElement] = []

    /// The first child of that name.
    subscript(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
}

struct XMLError: Error, Sendable, Hashable {
    var reason: String
    /// In bytes from the start.
    var offset: Int
}

/// Reads what S3 answers: elements, text, the five named entities and numbered ones (XML 1.0). Declarations of types, and what comes
/// with them (entities that grow, files that are read), are refused. Attributes are passed over.
struct XMLReader {
    /// S3's answers nest five deep.
    static let maximumDepth = 16
    /// A page of 1,000 versions has some 13,000.
    static let maximumElements = 100_000

    private let bytes: [UInt8]
    private var offset = 0
    /// Those that are open, outermost first, with the bytes of their text.
    private var open: [(element: XMLElement, name: [UInt8], text: [UInt8])] = []
    private var count = 0

    static func document(_ bytes: [UInt8]) throws(XMLError) -> XMLElement {
        var reader = XMLReader(bytes: bytes)
        return try reader.document()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fail(_ reason: String) -> XMLError { XMLError(reason: reason, offset: offset) }

    private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    /// Whether `text` comes next; passes it then.
    private mutating func take(_ text: StaticString) -> Bool {
        guard bytes.count - offset >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[offset + index] != text.utf8Start[index] { return false }
        offset += text.utf8CodeUnitCount
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek(), Self.isSpace(byte) { offset += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }

    private mutating func skip(past end: StaticString) throws(XMLError) {
        while offset < bytes.count {
            if take(end) { return }
            offset += 1
        }
        throw fail("the document ends within a declaration or comment")
    }

    private mutating func document() throws(XMLError) -> XMLElement {
        // The byte order mark.
        _ = take("\u{feff}")
        // S3 sends blanks to keep a connection open before a slow answer.
        skipSpace()
        if take("<?xml") { try skip(past: "?>") }
        while true {
            skipSpace()
            if take("<!--") { try skip(past: "-->") } else { break }
        }
        guard take("<") else { throw fail("no element") }
        var root = try startElement()
        while root == nil { root = try content() }
        while true {
            skipSpace()
            if take("<!--") { try skip(past: "-->") } else { break }
        }
        guard let root, offset == bytes.count else { throw fail("something follows the document") }
        return root
    }

    /// The next piece within the innermost element; the root once that ends.
    private mutating func content() throws(XMLError) -> XMLElement? {
        guard peek() != nil else { throw fail("the document ends within an element") }
        if take("</") { return try endElement() }
        if take("<!--") {
            try skip(past: "-->")
            return nil
        }
        if take("<") { return try startElement() }
        let text = try text(until: UInt8(ascii: "<"))
        open[open.count - 1].text += text
        return nil
    }

    /// - Returns: the root, when it is empty.
    private mutating func startElement() throws(XMLError) -> XMLElement? {
        let name = try name()
        count += 1
        guard count <= Self.maximumElements else { throw fail("more than \(Self.maximumElements) elements") }
        guard open.count < Self.maximumDepth else { throw fail("elements nest more than \(Self.maximumDepth) deep") }
        try attributes()
        let local = name.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).last ?? []
        open.append((XMLElement(name: String(decoding: local, as: UTF8.self)), name, []))
        if take("/>") { return try close() }
        guard take(">") else { throw fail("an element's start does not end") }
        return nil
    }

    private mutating func attributes() throws(XMLError) {
        while true {
            let before = offset
            skipSpace()
            guard let byte = peek(), byte != UInt8(ascii: ">"), byte != UInt8(ascii: "/") else { return }
            guard offset > before else { throw fail("no blank before an attribute") }
            _ = try name()
            skipSpace()
            guard take("=") else { throw fail("an attribute without a value") }
            skipSpace()
            guard let quote = peek(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
                throw fail("an attribute's value is not quoted")
            }
            offset += 1
            let value = try text(until: quote)
            guard !value.contains(UInt8(ascii: "<")), peek() == quote else { throw fail("an attribute's value does not end") }
            offset += 1
        }
    }

    private mutating func endElement() throws(XMLError) -> XMLElement? {
        let name = try name()
        skipSpace()
        guard take(">") else { throw fail("an element's end does not end") }
        guard open.last?.name == name else { throw fail("an element ends that is not the innermost one") }
        return try close()
    }

    private mutating func close() throws(XMLError) -> XMLElement? {
        guard var (element, _, text) = open.popLast() else { throw fail("an element ends that did not start") }
        if element.children.isEmpty {
            guard let valid = String(validating: text, as: UTF8.self) else { throw fail("text that is not of UTF-8") }
            element.text = valid
        } else {
            guard text.allSatisfy(Self.isSpace) else { throw fail("text between elements") }
            text = []
        }
        guard !open.isEmpty else { return element }
        open[open.count - 1].element.children.append(element)
        return nil
    }

    private mutating func name() throws(XMLError) -> [UInt8] {
        let start = offset
        while let byte = peek(),
            isWordByte(byte) || byte >= 0x80 || [UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(byte)
        {
            offset += 1
        }
        guard offset > start, offset - start <= 128 else { throw fail("no name, or one that is too long") }
        return Array(bytes[start..<offset])
    }

    private mutating func text(until end: UInt8) throws(XMLError) -> [UInt8] {
        var text: [UInt8] = []
        while let byte = peek(), byte != end {
            if byte == UInt8(ascii: "&") {
                text += try entity()
            } else {
                guard byte >= 0x20 || Self.isSpace(byte) else { throw fail("a control character") }
                text.append(byte)
                offset += 1
            }
        }
        return text
    }

    private mutating func entity() throws(XMLError) -> [UInt8] {
        if take("&amp;") { return [UInt8(ascii: "&")] }
        if take("&lt;") { return [UInt8(ascii: "<")] }
        if take("&gt;") { return [UInt8(ascii: ">")] }
        if take("&quot;") { return [UInt8(ascii: "\"")] }
        if take("&apos;") { return [UInt8(ascii: "'")] }
        guard take("&#") else { throw fail("an entity that is not known") }
        let radix = take("x") ? 16 : 10
        let start = offset
        while let byte = peek(), isWordByte(byte), offset - start < 8 { offset += 1 }
        guard let value = UInt32(String(decoding: bytes[start..<offset], as: UTF8.self), radix: radix), value > 0,
            let scalar = Unicode.Scalar(value), take(";")
        else { throw fail("a numbered entity that is no character") }
        return Array(String(Character(scalar)).utf8)
    }
}
