import Foundation
import Glibc

/// A TCP port of 127.0.0.1 that was free a moment ago.
func freePort() throws -> Int {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw HarnessError("socket: \(String(cString: strerror(errno)))") }
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(socket, address, length) == 0 && getsockname(socket, address, &length) == 0
        }
    }
    guard bound else { throw HarnessError("bind: \(String(cString: strerror(errno)))") }
    return Int(UInt16(bigEndian: address.sin_port))
}

/// One blocking connection to a loopback port: enough for a health check and for bytes that no client would send.
final class RawSocket {
    private let descriptor: Int32

    /// `timeout` bounds every later read, in seconds.
    init(port: Int, timeout: Int = 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HarnessError("socket: \(String(cString: strerror(errno)))") }
        var patience = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if !connected {
            let reason = String(cString: strerror(errno))
            throw HarnessError("connect to port \(port): \(reason)")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Returns false when the peer no longer takes bytes.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    enum Read: Equatable {
        case bytes([UInt8])
        /// The peer closed or reset the connection.
        case closed
        /// Nothing came in time.
        case silent
    }

    func read(_ limit: Int = 65_536) -> Read {
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = recv(descriptor, &buffer, limit, 0)
        if count > 0 { return .bytes(Array(buffer[..<count])) }
        if count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) { return .closed }
        return .silent
    }

    /// All that comes until the peer closes; nil when it did not close in time.
    func readToEnd() -> [UInt8]? {
        var all: [UInt8] = []
        while true {
            switch read() {
            case .bytes(let bytes): all += bytes
            case .closed: return all
            case .silent: return nil
            }
        }
    }
}

/// A GET over plain HTTP: the status code and the body, or nil when nobody answers.
func httpGet(port: Int, path: String, bearer: String? = nil) -> (status: Int, body: String)? {
    guard let socket = try? RawSocket(port: port, timeout: 5) else { return nil }
    let authorization = bearer.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    socket.send(Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\(authorization)Connection: close\r\n\r\n".utf8))
    guard let bytes = socket.readToEnd() else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    guard let status = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) }), let head = text.range(of: "\r\n\r\n") else {
        return nil
    }
    return (status, String(text[head.upperBound...]))
}
