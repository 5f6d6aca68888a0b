//! The envelope around every answer of the payment API (`idaas.md` 1.2), and problem documents for the other surfaces.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use flexledger_domain::Instant;

use super::error::{ApiError, Code};
use super::names::Names;
use super::write::Writer;

/// Marks an answer that repeats an earlier one.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// How many more calls fit into the caller's limit now.
pub const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// Room for the envelope and one object, so that most answers are written without growing the buffer.
const USUAL_SIZE: usize = 1536;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A success whose `data` is what `data` writes: exactly one value.
pub fn success(status: StatusCode, message: &str, at: Instant, data: impl FnOnce(&mut Writer)) -> Response {
    let mut writer = Writer::with_capacity(USUAL_SIZE);
    writer.object(|w| {
        w.flag("success", true);
        w.text("message", message);
        w.name("data");
        data(w);
        w.instant("timestamp", at);
    });
    json(status, writer)
}

/// A success without `data`.
#[must_use]
pub fn done(message: &str, at: Instant) -> Response {
    let mut writer = Writer::with_capacity(USUAL_SIZE);
    writer.object(|w| {
        w.flag("success", true);
        w.text("message", message);
        w.instant("timestamp", at);
    });
    json(StatusCode::OK, writer)
}

/// A JSON document as it is.
#[must_use]
pub fn json(status: StatusCode, writer: Writer) -> Response {
    let mut response = Response::new(Body::from(writer.into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A failure in the envelope.
#[must_use]
pub fn failure(error: &ApiError, names: &Names, at: Instant) -> Response {
    let mut writer = Writer::with_capacity(USUAL_SIZE);
    writer.object(|w| {
        w.flag("success", false);
        w.text("message", &error.message());
        w.text("errorCode", &format!("{}-{}", names.code_prefix, error.code.suffix()));
        if error.code == Code::Throttled {
            w.name("data").raw("null");
        }
        w.name("errors").array(&error.errors, |w, line| w.string(line));
        w.instant("timestamp", at);
    });
    let mut response = json(error.code.status(), writer);
    retry_after(error, response.headers_mut());
    response
}

/// A failure as a problem document (RFC 9457).
#[must_use]
pub fn problem(error: &ApiError) -> Response {
    let status = error.code.status();
    let mut writer = Writer::with_capacity(USUAL_SIZE);
    writer.object(|w| {
        w.text("type", "about:blank");
        w.text("title", status.canonical_reason().unwrap_or("Error"));
        w.count("status", status.as_u16());
        let detail = if error.errors.is_empty() { error.message().into_owned() } else { error.errors.join("; ") };
        w.text("detail", &detail);
    });
    let mut response = json(status, writer);
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM);
    retry_after(error, response.headers_mut());
    response
}

/// A failure as the merchant API has it.
#[must_use]
pub fn merchant(error: &ApiError) -> Response {
    let status = error.code.status();
    let mut writer = Writer::with_capacity(USUAL_SIZE);
    writer.object(|w| {
        w.count("statusCode", status.as_u16());
        w.text("message", &error.message());
        w.name("errors").array(&error.errors, |w, line| w.string(line));
    });
    let mut response = json(status, writer);
    retry_after(error, response.headers_mut());
    response
}

fn retry_after(error: &ApiError, headers: &mut HeaderMap) {
    if error.code == Code::Throttled {
        headers.insert(REMAINING, HeaderValue::from(0_u32));
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn shapes() {
        let at = Instant::from_micros(1_774_611_912_772_345);
        let fine = success(StatusCode::CREATED, "Made", at, |w| w.object(|w| w.flag("x", true)));
        let body = r#"{"success":true,"message":"Made","data":{"x":true},"timestamp":"2026-03-27T11:45:12.772Z"}"#;
        assert_eq!((fine.status(), text(fine).await.as_str()), (StatusCode::CREATED, body));
        let error = ApiError::invalid("amount must be greater than 0");
        let body = concat!(
            r#"{"success":false,"message":"Validation failed","errorCode":"IDAAS-VALID-2001","#,
            r#""errors":["amount must be greater than 0"],"timestamp":"2026-03-27T11:45:12.772Z"}"#
        );
        assert_eq!(text(failure(&error, &Names::default(), at)).await, body);
        let throttled = failure(&ApiError::throttled(7), &Names::default(), at);
        assert_eq!(throttled.headers().get(RETRY_AFTER).unwrap(), "7");
        assert!(text(throttled).await.contains(r#""message":"Rate limit exceeded. Retry after 7 seconds.""#));
        let body = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"Resource not found"}"#;
        assert_eq!(text(problem(&Code::NotFound.into())).await, body);
    }
}
