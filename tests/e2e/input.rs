//! Wrong input of every kind: the contract's error, and nothing changes.

use crate::client::{Request, call, raw};
use crate::server::Server;
use crate::world::{App, application};

const INITIATE: &str = "/api/v1/transactions";

/// Refused initiations: body, status, code.
fn initiations() -> Vec<(String, u16, &'static str)> {
    let with = |amount: &str| format!(r#"{{"senderTag":"alice","receiverTag":"bob","amount":{amount}}}"#);
    let invalid = "IDAAS-VALID-2001";
    let mut all: Vec<(String, u16, &'static str)> = [
        "0",
        "-1",
        "0.00001",
        "1.00001",
        "1e-9",
        "1e400",
        "\"1\"",
        "null",
        "true",
        "[]",
        "01",
        "1000000000000000",
        "NaN",
    ]
    .iter()
    .map(|amount| (with(amount), 400, invalid))
    .collect();
    let bodies = [
        ("", 400, invalid),
        ("{", 400, invalid),
        ("[]", 400, invalid),
        ("null", 400, invalid),
        ("{}", 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"alice","amount":1}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"b","amount":1}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"b b b","amount":1}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"bob","amount":1,"currency":"naira"}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"bob","amount":1,"currency":"ngn"}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"bob","amount":1,"callbackUrl":"ftp://example.com"}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"bob","amount":1,"narration":"\ud800"}"#, 400, invalid),
        (r#"{"senderTag":"alice","receiverTag":"nobody-at-all","amount":1}"#, 404, "IDAAS-RES-3004"),
        (r#"{"senderTag":"nobody-at-all","receiverTag":"bob","amount":1}"#, 404, "IDAAS-RES-3004"),
        (r#"{"senderTag":"bob","receiverTag":"alice","amount":1}"#, 403, "IDAAS-AUTH-1006"),
    ];
    all.extend(bodies.map(|(body, status, code)| (body.to_owned(), status, code)));
    let long = format!(r#"{{"senderTag":"alice","receiverTag":"bob","amount":1,"narration":"{}"}}"#, "x".repeat(501));
    all.push((long, 400, invalid));
    all.push((format!("{}1{}", "[".repeat(65), "]".repeat(65)), 400, invalid));
    all
}

/// Other refused calls: method, path, body, status, code.
const CALLS: &[(&str, &str, Option<&str>, u16, &str)] = &[
    ("POST", "/api/v1/transactions/TXN-00000001-AAAAAAAA/accept", None, 404, "IDAAS-RES-3010"),
    ("POST", "/api/v1/transactions/nonsense/accept", None, 404, "IDAAS-RES-3010"),
    ("POST", "/api/v1/transactions/TXN-00000001-AAAAAAAA/reject", Some("{\"reason\":1}"), 400, "IDAAS-VALID-2001"),
    ("GET", "/api/v1/transactions/TXN-00000001-AAAAAAAA", None, 404, "IDAAS-RES-3010"),
    ("GET", "/api/v1/transactions/sent?page=-1", None, 400, "IDAAS-VALID-2001"),
    ("GET", "/api/v1/transactions/sent?size=0", None, 400, "IDAAS-VALID-2001"),
    ("GET", "/api/v1/transactions/sent?sort=secret,asc", None, 400, "IDAAS-VALID-2001"),
    ("POST", "/api/v1/subjects", Some("{\"externalId\":\"  \"}"), 400, "IDAAS-VALID-2001"),
    ("POST", "/api/v1/subjects", Some("{\"externalId\":\"user-1\"}"), 409, "IDAAS-CONF-4003"),
    ("GET", "/api/v1/subjects/not-an-id", None, 400, "IDAAS-VALID-2001"),
    ("GET", "/api/v1/subjects/3c90c3cc-0d44-4b50-8888-8dd25736052a", None, 404, "IDAAS-RES-3002"),
    ("GET", "/api/v1/subjects/external/nobody", None, 404, "IDAAS-RES-3003"),
    ("POST", "/api/v1/tags", Some("{\"tag\":\"Not A Tag\",\"subjectId\":\"x\"}"), 400, "IDAAS-VALID-2001"),
    ("PATCH", "/api/v1/tags/nobody-at-all/disable", None, 404, "IDAAS-RES-3004"),
    ("PATCH", "/api/v1/tags/bob/disable", None, 403, "IDAAS-AUTH-1006"),
    ("GET", "/api/v1/tags/search", None, 400, "IDAAS-VALID-2002"),
    ("GET", "/api/v1/tags/search?keyword=a", None, 400, "IDAAS-VALID-2003"),
    ("GET", "/api/v1/wallet", None, 404, "IDAAS-RES-3011"),
    ("GET", "/api/v1/wallet/statement", None, 404, "IDAAS-RES-3011"),
    ("POST", "/api/v1/settlement/run?date=2999-01-01", None, 400, "IDAAS-VALID-2001"),
    ("POST", "/api/v1/settlement/run?date=yesterday", None, 400, "IDAAS-VALID-2001"),
    ("GET", "/api/v1/settlement/date/2026-13-01", None, 400, "IDAAS-VALID-2001"),
    ("GET", "/api/v1/settlement/date/2001-01-01", None, 404, "IDAAS-RES-3012"),
    ("POST", "/api/v1/auth/token", Some("{}"), 400, "IDAAS-VALID-2001"),
    ("POST", "/api/v1/auth/token", Some("{\"client_id\":\"x\",\"client_secret\":\"y\"}"), 401, "IDAAS-AUTH-1004"),
    ("POST", "/api/v1/applications", Some("{\"name\":\"X\",\"appHandle\":\"UPPER\"}"), 400, "IDAAS-VALID-2001"),
    (
        "POST",
        "/api/v1/applications",
        Some("{\"name\":\"Another\",\"appHandle\":\"walletapp\"}"),
        409,
        "IDAAS-CONF-4008",
    ),
    (
        "POST",
        "/api/v1/applications",
        Some("{\"name\":\"The walletapp\",\"appHandle\":\"fresh\"}"),
        409,
        "IDAAS-CONF-4007",
    ),
];

fn world(server: &Server) -> App {
    let wallet = application(server, "walletapp", "alice");
    application(server, "shopapp", "bob");
    wallet
}

#[test]
fn wrong_input_gets_the_contracts_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let wallet = world(&server);
    let before = server.position();
    for (body, status, code) in initiations() {
        let answer = wallet.post(INITIATE, Some(&body));
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}: {}", answer.text);
        assert_eq!(server.position(), before, "{body}");
    }
    for (method, path, body, status, code) in CALLS {
        let answer = wallet.try_call(method, path, *body, None).unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{method} {path}: {}", answer.text);
        assert_eq!(server.position(), before, "{method} {path}");
    }
}

#[test]
fn wrong_tokens_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let wallet = world(&server);
    let before = server.position();
    let body = r#"{"senderTag":"alice","receiverTag":"bob","amount":1}"#;
    let mut parts: Vec<&str> = wallet.token.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let other = if parts[2].starts_with('A') { "B" } else { "A" };
    let forged = format!("{other}{}", &parts[2][1..]);
    parts[2] = &forged;
    let forged = parts.join(".");
    for (token, code) in [
        (None, "IDAAS-AUTH-1001"),
        (Some("nonsense"), "IDAAS-AUTH-1002"),
        (Some(unsigned.as_str()), "IDAAS-AUTH-1002"),
        (Some(forged.as_str()), "IDAAS-AUTH-1002"),
    ] {
        let answer = server.call("POST", INITIATE, token, Some(body));
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{token:?}");
    }
    assert_eq!(server.call("GET", "/operator/v1/status", Some(&wallet.token), None).status, 401);
    assert_eq!(server.position(), before);
}

#[test]
fn limits_of_requests_hold() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let wallet = world(&server);
    let before = server.position();
    let huge = format!(r#"{{"senderTag":"{}"}}"#, "a".repeat(1 << 20));
    assert_eq!(wallet.post(INITIATE, Some(&huge)).status, 413);
    let headers = [("X-Filler", &*"a".repeat(70 << 10))];
    let request = Request { method: "GET", path: "/health", headers: &headers, ..Request::default() };
    // The server may close while the head is still on its way.
    if let Ok(answer) = call(server.address, &request) {
        assert_eq!(answer.status, 431);
    }
    let headers = [("Content-Type", "text/plain")];
    let request =
        Request { method: "POST", path: INITIATE, token: Some(&wallet.token), headers: &headers, body: Some("{}") };
    assert_eq!(call(server.address, &request).unwrap().status, 415);
    if let Ok(answer) = raw(server.address, b"NONSENSE\r\n\r\n") {
        assert_eq!(answer.status, 400);
    }
    assert_eq!(wallet.get("/api/v1/no-such-thing").status, 404);
    assert_eq!(wallet.try_call("DELETE", INITIATE, None, None).unwrap().status, 405);
    assert_eq!(server.position(), before);
}
