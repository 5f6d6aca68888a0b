//! Applications with tags, made as clients make them.

use std::net::SocketAddr;

use serde_json::json;

use crate::client::{Answer, Request, call};
use crate::server::Server;

/// An application that can act.
#[derive(Clone)]
pub struct App {
    pub address: SocketAddr,
    pub client_id: String,
    pub client_secret: String,
    pub token: String,
    pub subject: String,
}

/// A repeatable generator (splitmix64). Its seed is printed; `E2E_SEED` sets it.
pub struct Dice(u64);

impl Dice {
    pub fn new(test: &str) -> Dice {
        let seed = std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260_302);
        eprintln!("{test}: E2E_SEED={seed}");
        Dice(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// The present instant, as it stands in a path.
pub fn present() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    // The command `date` knows the calendar.
    let at = format!("@{}.{:06}", since.as_secs(), since.subsec_micros());
    let output =
        std::process::Command::new("date").args(["-u", "-d", &at, "+%Y-%m-%dT%H:%M:%S.%6NZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Registers an application with one subject and one tag of this local name.
pub fn application(server: &Server, handle: &str, local: &str) -> App {
    let body = json!({ "name": format!("The {handle}"), "appHandle": handle }).to_string();
    let made = server.call("POST", "/api/v1/applications", None, Some(&body)).expect(201).data();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let mut app = App {
        address: server.address,
        client_id: text("clientId"),
        client_secret: text("clientSecret"),
        token: String::new(),
        subject: String::new(),
    };
    app.token = app.fresh_token(server);
    let body = json!({ "externalId": "user-1", "displayName": "Some Body" }).to_string();
    let subject = app.post("/api/v1/subjects", Some(&body)).expect(201).data();
    app.subject = subject["id"].as_str().unwrap().to_owned();
    app.tag(local);
    app
}

impl App {
    pub fn fresh_token(&self, server: &Server) -> String {
        let body = json!({ "client_id": self.client_id, "client_secret": self.client_secret }).to_string();
        let issued = server.call("POST", "/api/v1/auth/token", None, Some(&body)).expect(200).data();
        issued["token"].as_str().unwrap().to_owned()
    }

    pub fn tag(&self, local: &str) {
        let body = json!({ "tag": local, "subjectId": self.subject }).to_string();
        self.post("/api/v1/tags", Some(&body)).expect(200);
    }

    /// The same application towards a server that was started again.
    pub fn at(&self, server: &Server) -> App {
        App { address: server.address, ..self.clone() }
    }

    pub fn try_call(&self, method: &str, path: &str, body: Option<&str>, key: Option<&str>) -> std::io::Result<Answer> {
        let header = key.map(|key| [("Idempotency-Key", key)]);
        let headers = header.as_ref().map_or(&[][..], |header| &header[..]);
        call(self.address, &Request { method, path, token: Some(&self.token), headers, body })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_call("GET", path, None, None).unwrap()
    }

    pub fn post(&self, path: &str, body: Option<&str>) -> Answer {
        self.try_call("POST", path, body, None).unwrap()
    }

    pub fn try_initiate(&self, from: &str, to: &str, amount: &str, key: Option<&str>) -> std::io::Result<Answer> {
        let body = format!(r#"{{"senderTag":"{from}","receiverTag":"{to}","amount":{amount}}}"#);
        self.try_call("POST", "/api/v1/transactions", Some(&body), key)
    }

    /// Initiates a payment and returns its reference.
    pub fn initiate(&self, from: &str, to: &str, amount: &str) -> String {
        reference(&self.try_initiate(from, to, amount, None).unwrap().expect(201))
    }

    pub fn accept(&self, reference: &str) -> Answer {
        self.post(&format!("/api/v1/transactions/{reference}/accept"), None)
    }

    pub fn reject(&self, reference: &str) -> Answer {
        self.post(&format!("/api/v1/transactions/{reference}/reject"), None)
    }

    pub fn transaction(&self, reference: &str) -> Answer {
        self.get(&format!("/api/v1/transactions/{reference}"))
    }

    /// The whole statement, oldest first, in smallest units: debit or credit, amount, opening and closing balance.
    pub fn statement(&self) -> Vec<Entry> {
        // A busy machine may need longer for its views than a read waits; the reader is told, and asks again.
        let ask = || self.get("/api/v1/wallet/statement?size=2000");
        let late = (0..10).map(|_| ask()).find(|answer| answer.status != 503);
        let answer = late.unwrap_or_else(ask).expect(200);
        let page: Page = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(page.data.content.len() as u64, page.data.total_elements, "one page holds all");
        page.data.content.into_iter().rev().map(Entry::from).collect()
    }
}

pub fn reference(answer: &Answer) -> String {
    answer.data()["reference"].as_str().unwrap().to_owned()
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub reference: String,
    pub credit: bool,
    pub amount: i128,
    pub opening: i128,
    pub closing: i128,
}

#[derive(serde::Deserialize)]
struct Page {
    data: Content,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    content: Vec<Line>,
    total_elements: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    transaction_reference: String,
    entry_type: String,
    amount: Box<serde_json::value::RawValue>,
    opening_balance: Box<serde_json::value::RawValue>,
    closing_balance: Box<serde_json::value::RawValue>,
}

impl From<Line> for Entry {
    fn from(line: Line) -> Entry {
        Entry {
            reference: line.transaction_reference,
            credit: line.entry_type == "CREDIT",
            amount: minor(line.amount.get()),
            opening: minor(line.opening_balance.get()),
            closing: minor(line.closing_balance.get()),
        }
    }
}

/// The printed digits as a count of 1/10000: there must be exactly four decimals.
pub fn minor(digits: &str) -> i128 {
    let (whole, decimals) = digits.split_once('.').unwrap_or_else(|| panic!("{digits} has no decimals"));
    assert_eq!(decimals.len(), 4, "{digits}");
    format!("{whole}{decimals}").parse().unwrap()
}

/// A statement that breaks none of the laws of section 11; its closing balance.
pub fn check_statement(entries: &[Entry]) -> i128 {
    let mut balance = 0;
    for entry in entries {
        assert_eq!(entry.opening, balance, "{entry:?} does not follow");
        balance += if entry.credit { entry.amount } else { -entry.amount };
        assert_eq!(entry.closing, balance, "{entry:?}");
    }
    balance
}
