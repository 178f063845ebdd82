import Testing

@testable import S3

@Suite struct XMLTests {
    static let sample = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- a listing -->
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a='b > c'><Name>evidence</Name><Prefix/>
          <Contents><Key>a&amp;b&lt;&#x1F512;&#233;</Key><Size>1</Size></Contents>
          <Contents ><Key>ü</Key ><Owner><x:ID>7</x:ID></Owner></Contents>
        </ListBucketResult>

        """

    private func read(_ text: String) -> XMLElement? { try? XMLReader.document(Array(text.utf8)) }

    @Test func whatS3AnswersIsRead() throws {
        let root = try #require(read(Self.sample))
        #expect(root.name == "ListBucketResult")
        #expect(root["Name"]?.text == "evidence")
        #expect(root["Prefix"]?.text == "")
        #expect(root.all("Contents").map { $0["Key"]?.text } == ["a&b<\u{1F512}é", "ü"])
        #expect(root.all("Contents").last?["Owner"]?["ID"]?.text == "7")
        // What keeps a connection open while an upload is completed.
        #expect(read("  \n<?xml version=\"1.0\"?>\n\n   <Error><Code>SlowDown</Code></Error>")?["Code"]?.text == "SlowDown")
        #expect(read("<a/>") == XMLElement(name: "a"))
    }

    @Test func halfADocumentIsNone() {
        let bytes = Array(Self.sample.utf8)
        let end = bytes.count - "\n".utf8.count
        for length in 0..<end - 1 where (try? XMLReader.document(Array(bytes[..<length]))) != nil {
            Issue.record("\(length) bytes of \(bytes.count) pass for the whole")
        }
    }

    @Test(arguments: [
        "", "text", "<a>", "<a></b>", "<a/><b/>", "</a>", "<a>x<b/></a>", "<a b></a>", "<a b=c/>", "<a b='<'/>", "<a>&unknown;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#99999999999;</a>", "<a>&#-1;</a>", "<a>&#+1;</a>", "<a>\u{1}</a>", "<a b='1'c='2'/>",
        "<>x</>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a><![CDATA[x]]></a>", "<a><?pi?></a>", "<a/>x", "<a", "<a b='x", "<a>&amp",
        "<!-- <a/>",
    ])
    func whatIsNotADocumentIsRefused(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func sizesAreBounded() {
        #expect(read(String(repeating: "<a>", count: 16) + String(repeating: "</a>", count: 16)) != nil)
        #expect(read(String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17)) == nil)
        #expect(read(String(repeating: "<a>", count: 500_000)) == nil)
        #expect(read("<a>" + String(repeating: "<b/>", count: 99_999) + "</a>") != nil)
        #expect(read("<a>" + String(repeating: "<b/>", count: 100_000) + "</a>") == nil)
        #expect(read("<\(String(repeating: "n", count: 129))/>") == nil)
    }

    @Test func anyBytesEndInADocumentOrAnError() throws {
        var generator = SeededGenerator(state: 11)
        let alphabet = Array("<>/&;#x='\"! -?ab1\n".utf8)
        for _ in 0..<(isSoak ? 200_000 : 4_000) {
            var bytes = Array(Self.sample.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[at] = Bool.random(using: &generator) ? alphabet[at % alphabet.count] : UInt8.random(in: 0...255, using: &generator)
            }
            do throws(XMLError) { _ = try XMLReader.document(bytes) } catch { #expect(error.offset <= bytes.count) }
        }
    }
}
