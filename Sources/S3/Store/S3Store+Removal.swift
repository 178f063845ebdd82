import GatehouseCore
import NIOHTTP1
public import Recording

extension S3Store {
    /// Every version goes, the oldest first: what a reader sees goes last. A plain DELETE would only hide the object where the bucket
    /// keeps versions, and would be granted for one that is retained.
    public func delete(_ key: ObjectKey) throws(StoreError) {
        let name = try name(of: key)
        if listsVersions.load(ordering: .relaxed) {
            if let versions = try versions(of: name) {
                for version in versions.reversed() {
                    _ = try client.ask(S3Request(.DELETE, key: name, query: [("versionId", version)])) { answer throws(S3Failure) in answer
                    }
                }
                return
            }
            listsVersions.store(false, ordering: .relaxed)
        }
        let request = S3Request(.DELETE, key: name)
        do throws(S3Failure) {
            try client.send(request) { answer throws(S3Failure) in
                // True also when a version went that was a marker, which none can be here.
                guard answer.header("x-amz-delete-marker") != "true" else {
                    throw .wrong("the bucket only hid the object, and cannot list the versions that are left of it")
                }
            }
        } catch {
            guard error.code == "NoSuchKey" else { throw client.storeError(request, error) }
        }
    }

    /// Of versions and delete markers, newest first; nil when the server cannot say.
    private func versions(of name: String) throws(StoreError) -> [String]? {
        var found: [String] = []
        var marker: (key: String, version: String)?
        while true {
            var request = S3Request(.GET, query: [("versions", ""), ("prefix", name), ("encoding-type", "url")])
            if let marker { request.query += [("key-marker", marker.key), ("version-id-marker", marker.version)] }
            let root: XMLElement
            do throws(S3Failure) {
                root = try client.send(request) { answer throws(S3Failure) in try answer.document("ListVersionsResult") }
                for entry in root.children where entry.name == "Version" || entry.name == "DeleteMarker" {
                    // Others begin with this name; equal in Swift is not the same in bytes.
                    guard try root.key(of: entry).utf8.elementsEqual(name.utf8) else { continue }
                    guard let version = entry["VersionId"]?.text, !version.isEmpty else { throw .wrong("a version without an id") }
                    found.append(version)
                }
                guard let next = try root.nextPage("NextVersionIdMarker"), next.key.utf8.elementsEqual(name.utf8) else { return found }
                if let marker, marker == next { throw .wrong("the same page again") }
                marker = next
            } catch {
                if error.isUnsupported { return nil }
                throw client.storeError(request, error)
            }
        }
    }

    /// Aborts uploads below the prefix that began longer ago than `abandonedUploadAge`: others may be running, of this gateway or of
    /// another one at the same bucket.
    public func removeLeftovers() throws(StoreError) {
        let limit = client.surroundings.clock.wallTime().advanced(by: .zero - configuration.abandonedUploadAge)
        var marker: (key: String, version: String)?
        while true {
            var request = S3Request(.GET, query: [("uploads", ""), ("prefix", root), ("encoding-type", "url")])
            if let marker { request.query += [("key-marker", marker.key), ("upload-id-marker", marker.version)] }
            do throws(S3Failure) {
                let page = try client.send(request) { answer throws(S3Failure) in try answer.document("ListMultipartUploadsResult") }
                for upload in page.all("Upload") { try abort(upload, of: page, begunBefore: limit) }
                guard let next = try page.nextPage("NextUploadIdMarker") else { return }
                if let marker, marker == next { throw .wrong("the same page again") }
                marker = next
            } catch {
                // Some servers (rclone) say so where no upload is under way at all.
                if error.isUnsupported || error.code == "NoSuchUpload" { return }
                throw client.storeError(request, error)
            }
        }
    }

    private func abort(_ upload: XMLElement, of page: XMLElement, begunBefore limit: WallTime) throws(S3Failure) {
        let key = try page.key(of: upload)
        guard let id = upload["UploadId"]?.text, key.utf8.starts(with: root.utf8),
            let begun = upload["Initiated"].flatMap({ CivilTime.parse($0.text) }), begun < limit
        else { return }
        do throws(S3Failure) {
            _ = try client.send(S3Request(.DELETE, key: key, query: [("uploadId", id)]))
        } catch {
            guard error.code == "NoSuchUpload" else { throw error }
        }
    }
}

extension XMLElement {
    /// Where a listing of versions or uploads goes on; nil at its end.
    fileprivate func nextPage(_ second: String) throws(S3Failure) -> (key: String, version: String)? {
        guard self["IsTruncated"]?.text == "true" else { return nil }
        guard let text = self["NextKeyMarker"]?.text, !text.isEmpty else { throw .wrong("a page that goes on nowhere") }
        guard let key = self["EncodingType"]?.text == "url" ? PercentEncoding.decode(text) : text else {
            throw .wrong("a key that is not URL-encoded")
        }
        return (key, self[second]?.text ?? "")
    }
}
