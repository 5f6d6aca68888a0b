//! The documentation page, written from the same tables as the OpenAPI document.

use std::fmt::Write as _;

use crate::http::names::Names;
use crate::openapi::operation::{Auth, Data, Operation, example, meaning};
use crate::openapi::shape::{Field, Kind, Shape};
use crate::openapi::{self, ABOUT, path_of};

/// Writes to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{ let _infallible = write!($out, $($arg)*); }};
}

/// The whole page.
pub fn page(names: &Names, public_url: &str) -> String {
    let mut out = String::with_capacity(256 << 10);
    let groups = openapi::groups();
    out.push_str(HEAD);
    put!(
        out,
        "<aside><div class=\"brand\"><img src=\"/docs/icon.svg\" alt=\"\" width=\"28\" height=\"28\">Flexledger</div>"
    );
    out.push_str(SEARCH);
    out.push_str("<nav id=\"nav\" aria-label=\"Calls\">");
    for (group, operations) in &groups {
        put!(out, "<section><h2>{}</h2>", escape(group));
        for o in operations {
            let (method, id) = (o.method, o.id);
            put!(
                out,
                "<a href=\"#{id}\" data-id=\"{id}\"><b class=\"m {method}\">{method}</b><span>{}</span></a>",
                escape(o.summary)
            );
        }
        out.push_str("</section>");
    }
    out.push_str("<section><h2>Objects</h2>");
    for shape in openapi::all_shapes() {
        put!(out, "<a href=\"#shape-{0}\" data-id=\"shape-{0}\"><span>{0}</span></a>", shape.name);
    }
    out.push_str("</section></nav></aside><main>");
    put!(out, "<h1>Flexledger API</h1><p class=\"lead\">{}</p>", prose(ABOUT));
    out.push_str(INTRODUCTION);
    for (group, operations) in &groups {
        put!(out, "<section class=\"group\"><h2>{}</h2>", escape(group));
        operations.iter().for_each(|operation| call(&mut out, operation, names, public_url));
        out.push_str("</section>");
    }
    out.push_str("<section class=\"group\"><h2>Objects</h2>");
    openapi::all_shapes().for_each(|shape| object(&mut out, shape));
    out.push_str("</section><p id=\"none\" class=\"note\" hidden>Nothing found.</p></main></div></body></html>");
    out
}

const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Flexledger API</title><link rel="icon" href="/docs/icon.svg"><link rel="stylesheet" href="/docs/style.css"><script src="/docs/docs.js" defer></script></head><body><div class="layout">"#;

const SEARCH: &str = r#"<label class="search"><span class="hidden">Search</span><input id="search" type="search" placeholder="Search calls and fields  ( / )" autocomplete="off"></label>"#;

const INTRODUCTION: &str = "<p class=\"links\"><a href=\"/openapi.json\">OpenAPI document</a><a href=\"/console\">Console</a></p>\
<div class=\"cards\"><div><h3>Authentication</h3><p>Exchange <code>client_id</code> and <code>client_secret</code> at \
<a href=\"#issueToken\">POST /api/v1/auth/token</a>, then send <code>Authorization: Bearer …</code>.</p></div>\
<div><h3>Money</h3><p>Amounts are JSON numbers of at most 15 digits before and 4 after the point, exact, always answered \
with four decimals. The currency is <code>NGN</code> unless another is named.</p></div>\
<div><h3>Envelope</h3><p>Answers below <code>/api/v1</code> hold <code>success</code>, <code>message</code>, \
<code>data</code> and <code>timestamp</code>; failures <code>errorCode</code> and <code>errors</code>. Branch on the code.</p></div>\
<div><h3>Webhooks</h3><p>Signed, and encrypted for the application's key. Every delivery names its log position and that \
of the one before, so that a gap shows.</p></div></div>";

fn call(out: &mut String, o: &Operation, names: &Names, public_url: &str) {
    let path = path_of(o.path, names);
    let words = format!("{} {} {} {}", o.method, path, o.summary, o.about).to_lowercase();
    put!(
        out,
        "<details class=\"call\" id=\"{}\" data-words=\"{}\"><summary><b class=\"m {2}\">{2}</b>",
        o.id,
        escape(&words),
        o.method
    );
    put!(
        out,
        "<code class=\"path\">{}</code><span class=\"what\">{}</span></summary><div class=\"body\">",
        escape(&path),
        escape(o.summary)
    );
    if !o.about.is_empty() {
        put!(out, "<p>{}</p>", prose(o.about));
    }
    put!(out, "<p class=\"auth\">{}</p>", prose(who(o.auth)));
    parameters(out, o);
    if let Some(body) = o.body {
        let optional = if o.body_optional { " <i>optional</i>" } else { "" };
        put!(out, "<h4>Body: <a href=\"#shape-{body}\">{body}</a>{optional}</h4>");
        if let Some(shape) = openapi::all_shapes().find(|shape| shape.name == body) {
            table(out, shape.fields);
        }
    }
    put!(out, "<h4>Answers</h4><ul class=\"answers\"><li><b class=\"s ok\">{}</b> {}</li>", o.status, given(o.data));
    for status in o.failures() {
        put!(out, "<li><b class=\"s\">{status}</b> {}</li>", meaning(status));
    }
    out.push_str("</ul><h4>Try it</h4><div class=\"try\"><button type=\"button\" class=\"copy\">Copy</button><pre>");
    put!(out, "{}</pre></div></div></details>", escape(&curl(o, &path, public_url)));
}

fn parameters(out: &mut String, o: &Operation) {
    let places = [("Path", o.parts()), ("Query", o.query.clone()), ("Headers", o.headers.clone())];
    for (place, fields) in places.iter().filter(|(_, fields)| !fields.is_empty()) {
        put!(out, "<h4>{place}</h4>");
        table(out, fields);
    }
}

fn object(out: &mut String, shape: &Shape) {
    let names: Vec<_> = shape.fields.iter().map(|field| field.name).collect();
    let words = format!("{} {} {}", shape.name, shape.about, names.join(" ")).to_lowercase();
    put!(
        out,
        "<details class=\"call\" id=\"shape-{0}\" data-words=\"{1}\"><summary><code class=\"path\">{0}</code>",
        shape.name,
        escape(&words)
    );
    put!(out, "<span class=\"what\">{}</span></summary><div class=\"body\">", escape(shape.about));
    table(out, shape.fields);
    out.push_str("</div></details>");
}

fn table(out: &mut String, fields: &[Field]) {
    out.push_str("<div class=\"wide\"><table>");
    for field in fields {
        let always = if field.always { "" } else { " <i>optional</i>" };
        put!(
            out,
            "<tr><td><code>{}</code>{always}</td><td>{}</td><td>{}</td></tr>",
            field.name,
            typed(field.kind),
            prose(field.about)
        );
    }
    out.push_str("</table></div>");
}

fn typed(kind: Kind) -> String {
    match kind {
        Kind::Of(name) => format!("<a href=\"#shape-{name}\">{name}</a>"),
        Kind::Each(name) => format!("list of <a href=\"#shape-{name}\">{name}</a>"),
        other => escape(&other.words()),
    }
}

fn given(data: Data) -> String {
    let link = |name: &str| format!("<a href=\"#shape-{name}\">{name}</a>");
    match data {
        Data::Nothing => "the envelope".to_owned(),
        Data::One(name) | Data::Plain(name) => link(name),
        Data::AnyOf(names) => names.iter().map(|name| link(name)).collect::<Vec<_>>().join(" or "),
        Data::List(name) => format!("list of {}", link(name)),
        Data::Texts => "list of texts".to_owned(),
        Data::Page(name) => format!("page of {}", link(name)),
        Data::Object | Data::Document => "an object".to_owned(),
        Data::Objects => "page of objects".to_owned(),
        Data::Media(media) => media.to_owned(),
        Data::Empty => "nothing".to_owned(),
    }
}

fn who(auth: Auth) -> &'static str {
    match auth {
        Auth::Nobody => "Open to everybody.",
        Auth::Application => "For applications: `Authorization: Bearer <token>`.",
        Auth::Admin => "For applications with `ROLE_ADMIN`.",
        Auth::Operator => "For the operator: `Authorization: Bearer <content of operator.token>`.",
        Auth::Auditor => "For the operator and for auditors.",
        Auth::Merchant => "For merchants: `x-client-id` and `x-api-key`.",
    }
}

/// The call as a command line.
fn curl(o: &Operation, path: &str, public_url: &str) -> String {
    let mut line = String::from("curl");
    if o.method != "GET" {
        put!(line, " -X {}", o.method);
    }
    let required: Vec<_> = o.query.iter().filter(|f| f.always).map(|f| format!("{}=…", f.name)).collect();
    let query = if required.is_empty() { String::new() } else { format!("?{}", required.join("&")) };
    put!(line, " '{public_url}{path}{query}'");
    match o.auth {
        Auth::Nobody => {}
        Auth::Application | Auth::Admin => line.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\""),
        Auth::Operator | Auth::Auditor => {
            line.push_str(" \\\n  -H \"Authorization: Bearer $(cat flexledger-data/operator.token)\"");
        }
        Auth::Merchant => line.push_str(" \\\n  -H \"x-client-id: $CLIENT\" -H \"x-api-key: $KEY\""),
    }
    const JSON: &str = " \\\n  -H 'Content-Type: application/json' \\\n  -d";
    if let Some(example) = o.body.and_then(example) {
        put!(line, "{JSON} '{example}'");
    } else if let Some(shape) = o.body.and_then(|body| openapi::all_shapes().find(|shape| shape.name == body)) {
        let members: Vec<_> = shape.fields.iter().filter(|f| f.always || o.body_optional).map(sample).collect();
        put!(line, "{JSON} '{{{}}}'", members.join(", "));
    }
    line
}

fn sample(field: &Field) -> String {
    let value = match (field.name, field.kind) {
        ("tag", _) => "\"alice\"",
        (_, Kind::Amount | Kind::Payable) => "1500",
        (_, Kind::Count | Kind::Long | Kind::Range(..)) => "1",
        (_, Kind::Flag) => "true",
        (_, Kind::Object | Kind::Metadata) => "{}",
        _ => "\"…\"",
    };
    format!("\"{}\": {value}", field.name)
}

/// Text with `code` in back quotes.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_break_out() {
        assert_eq!(prose("a `<b>` & \"c\""), "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;");
    }

    #[test]
    fn every_call_has_a_line_to_try() {
        let page = page(&Names::default(), "http://ledger.example");
        let count: usize = openapi::groups().iter().map(|(_, operations)| operations.len()).sum();
        assert_eq!(page.matches("<pre>curl").count(), count);
        assert!(page.contains("senderTag&quot;:&quot;alice@walletapp"));
    }
}
