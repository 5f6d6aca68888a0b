//! Pages for people and the document for machines: `/docs`, `/console`, `/openapi.json`. Everything is embedded; the
//! pages load nothing from elsewhere and run no script that is not theirs, which their policy enforces.

mod docs;

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;

use crate::app::App;
use crate::openapi;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The pages, made once.
pub(crate) fn routes(app: &App) -> Router<App> {
    let settings = app.settings();
    let document = openapi::document(&settings.names, &settings.public_url);
    let document = Bytes::from(document.to_string());
    let docs = Bytes::from(docs::page(&settings.names, &settings.public_url));
    Router::new()
        .route("/openapi.json", served("application/json", document.clone()))
        .route("/api/v3/api-docs", served("application/json", document))
        .route("/docs", served(HTML, docs.clone()))
        .route("/api/swagger-ui.html", served(HTML, docs))
        .route("/docs/docs.js", served(JS, Bytes::from_static(include_bytes!("assets/docs.js"))))
        .route("/docs/style.css", served(CSS, Bytes::from_static(include_bytes!("assets/style.css"))))
        .route("/docs/icon.svg", served(SVG, Bytes::from_static(include_bytes!("assets/icon.svg"))))
        .route("/console", served(HTML, Bytes::from_static(include_bytes!("assets/console.html"))))
        .route("/console/console.js", served(JS, Bytes::from_static(include_bytes!("assets/console.js"))))
}

fn served(media: &'static str, content: Bytes) -> MethodRouter<App> {
    get(move || {
        let response = answer(media, content.clone());
        async move { response }
    })
}

fn answer(media: &'static str, content: Bytes) -> Response {
    let mut response = Response::new(Body::from(content));
    let headers: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, media),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use crate::tests::world::World;

    #[tokio::test]
    async fn pages_are_served_under_a_strict_policy() {
        let world = World::new().await;
        for (path, media) in [
            ("/openapi.json", "application/json"),
            ("/api/v3/api-docs", "application/json"),
            ("/docs", "text/html; charset=utf-8"),
            ("/api/swagger-ui.html", "text/html; charset=utf-8"),
            ("/console", "text/html; charset=utf-8"),
            ("/docs/docs.js", "text/javascript; charset=utf-8"),
            ("/docs/style.css", "text/css; charset=utf-8"),
            ("/docs/icon.svg", "image/svg+xml"),
            ("/console/console.js", "text/javascript; charset=utf-8"),
        ] {
            let answer = world.get(path, "").await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.headers["content-type"], media, "{path}");
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        }
    }

    #[tokio::test]
    async fn pages_hold_nothing_that_their_policy_forbids() {
        let world = World::new().await;
        for path in ["/docs", "/console"] {
            let text = world.get(path, "").await.text;
            for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:", "src=\"http", "href=\"//"] {
                assert!(!text.contains(forbidden), "{forbidden} in {path}");
            }
            let scripts = text.matches("<script").count();
            assert_eq!(scripts, text.matches("<script src=\"/").count(), "{path}");
        }
    }

    #[tokio::test]
    async fn the_page_shows_every_call_of_the_document() {
        let world = World::new().await;
        let (document, page) = (world.get("/openapi.json", "").await.json, world.get("/docs", "").await.text);
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(page.contains(&format!("id=\"{id}\"")), "{id} at {path}");
            }
        }
    }
}
