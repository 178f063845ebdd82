import GatehouseCore
import Hummingbird
import Identity
import Logging
import NIOCore

/// Outermost: whatever goes wrong becomes a problem document, and no answer is kept or guessed at by a browser.
struct Answering: RouterMiddleware {
    typealias Context = ConsoleContext

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let problem as Problem {
            response = problem.response
        } catch let error as HTTPError {
            response = Problem(error.status, error.body ?? error.status.reasonPhrase.lowercased()).response
        } catch is NIOTooManyBytesError {
            response = Problem(.contentTooLarge, "the body is larger than \(context.maxUploadSize) bytes").response
        } catch {
            context.logger.error("a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            response = Problem(.internalServerError, "the gateway could not do this; its log says why").response
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
        return response
    }
}

/// Keeps web pages of other sites out. The API takes no cookies, so a page has nothing to ride on; but a page whose name was
/// pointed at a loopback address (DNS rebinding) could read what needs no token.
struct BrowserGuard: RouterMiddleware {
    typealias Context = ConsoleContext

    /// The names that this server is reached by; empty: any.
    let hosts: Set<String>

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        let authority = request.head.authority ?? ""
        guard hosts.isEmpty || hosts.contains(Self.host(authority)) else {
            throw Problem(.misdirectedRequest, "this is not the server of that name", code: "wrong_host")
        }
        for field in request.headers where field.name.canonicalName == "sec-fetch-site" {
            guard field.value == "same-origin" || field.value == "none" else { throw Self.crossSite }
        }
        for origin in request.headers[values: .origin] {
            guard origin == "http://\(authority)" || origin == "https://\(authority)" else { throw Self.crossSite }
        }
        return try await next(request, context)
    }

    private static let crossSite = Problem(.forbidden, "requests from web pages of other sites are refused", code: "cross_site")

    /// The host of `host:port`, in lower case, without the brackets of an IPv6 address.
    static func host(_ authority: String) -> String {
        if authority.first == "[" { return authority.dropFirst().prefix { $0 != "]" }.lowercased() }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}

/// Lets in who has a token or a ticket, by the same way as a session's client.
struct Authentication: RouterMiddleware {
    typealias Context = ConsoleContext

    let backend: ConsoleBackend
    let roles: LiveRoles

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        guard let secret = Self.bearer(request.headers) else {
            throw Self.unauthorized("say who you are: Authorization: Bearer <token or ticket>")
        }
        let principal: Principal
        do throws(AuthenticationFailure) {
            // No login name: the administration is no target, so a ticket for a single target does not open it.
            principal = try await backend.authenticator.authenticate(secret, from: context.address, asking: "")
        } catch {
            if !error.isRepeat {
                try? backend.audit.note(
                    .init(
                        time: backend.clock.wallTime(), principal: nil, address: context.address, kind: .authenticationFailed,
                        detail: ["reason": error.code.name, "detail": error.auditDetail, "path": Self.shown(request.uri.path)]))
            }
            throw Self.problem(error)
        }
        var context = context
        let caller = Caller(principal: principal, roles: roles.roles(of: principal), address: context.address)
        guard caller.isKnown else {
            try? backend.audit.note(
                .init(
                    time: backend.clock.wallTime(), principal: principal, address: context.address, kind: .administrationRefused,
                    detail: ["reason": "no_role", "path": Self.shown(request.uri.path)]))
            throw Problem(.forbidden, "none of your groups has a role here; ask an administrator", code: "no_role")
        }
        context.caller = caller
        return try await next(request, context)
    }

    /// RFC 6750 section 2.1. Exactly one header: two readers must not see two callers.
    static func bearer(_ headers: HTTPFields) -> Secret? {
        let values = headers[values: .authorization]
        guard values.count == 1, let value = values.first else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return Secret(String(parts[1].drop { $0 == " " }))
    }

    /// A path of a peer's choosing, fit for the audit log.
    private static func shown(_ path: String) -> String {
        String(path.unicodeScalars.prefix(200).map { $0.value >= 0x20 && $0.value < 0x7F ? Character($0) : "?" })
    }

    private static func unauthorized(_ detail: String, code: String? = nil) -> Problem {
        var problem = Problem(.unauthorized, detail, code: code)
        problem.headers[.wwwAuthenticate] = "Bearer realm=\"gatehouse\""
        return problem
    }

    private static func problem(_ failure: AuthenticationFailure) -> Problem {
        switch failure.code {
        case .throttled(let wait):
            var problem = Problem(.tooManyRequests, failure.clientMessage, code: failure.code.name)
            problem.headers[.retryAfter] = String(wait.components.seconds)
            return problem
        case .issuerUnreachable, .unavailable:
            return Problem(.serviceUnavailable, failure.clientMessage, code: failure.code.name)
        case .unknownIssuer, .badSignature, .expired, .notYetValid, .wrongAudience, .wrongAuthorizedParty, .algorithmNotAllowed,
            .malformed, .unknownKey, .ticketUnknown, .ticketExpired, .ticketRevoked, .ticketWrongTarget:
            return unauthorized(failure.clientMessage, code: failure.code.name)
        }
    }
}
