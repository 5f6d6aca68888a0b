//! What the HTTP stack alone can do: the same listener, router, edge, caller check and JSON body in, as many fields out,
//! and no ledger behind it. Nothing here waits for anything.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flexledger_api::http::auth::Caller;
use flexledger_api::http::body::JsonBody;
use flexledger_api::{App, Entrance, Limits, joined, serve};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::failure::Failure;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initiation {
    sender_tag: String,
    receiver_tag: String,
    amount: f64,
    currency: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    success: bool,
    message: &'a str,
    data: Payment<'a>,
    timestamp: &'a str,
}

/// As many fields as a payment is answered with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    id: &'a str,
    reference: &'a str,
    sender_tag: &'a str,
    sender_app_id: &'a str,
    receiver_tag: &'a str,
    receiver_app_id: &'a str,
    amount: f64,
    currency: &'a str,
    status: &'a str,
    expires_at: &'a str,
    created_at: &'a str,
    updated_at: &'a str,
}

/// A listener that answers at once. It ends when the sender is dropped.
pub async fn start(app: App) -> Result<(SocketAddr, oneshot::Sender<()>), Failure> {
    let routes = Router::new()
        .route("/api/v1/transactions", post(initiated))
        .route("/api/v1/transactions/{reference}/accept", post(accepted));
    let router = joined(app, routes);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // Told or dropped: the end either way.
        let _asked = stopped.await;
    };
    tokio::spawn(serve(listener, Entrance::to(router), Limits::default(), shutdown));
    Ok((address, stop))
}

async fn initiated(_caller: Caller, JsonBody(body): JsonBody) -> Response {
    match serde_json::from_slice::<Initiation>(&body) {
        Ok(initiation) => answer(StatusCode::CREATED, Some(initiation)),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn accepted(_caller: Caller) -> Response {
    answer(StatusCode::OK, None)
}

fn answer(code: StatusCode, initiation: Option<Initiation>) -> Response {
    let text = |field: fn(&Initiation) -> &str| initiation.as_ref().map_or("", field);
    let document = Envelope {
        success: true,
        message: "Transaction accepted",
        timestamp: "2025-03-04T10:03:00.000Z",
        data: Payment {
            id: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            reference: "TXN-16820000-AB1C2D3E",
            sender_tag: text(|body| &body.sender_tag),
            sender_app_id: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            receiver_tag: text(|body| &body.receiver_tag),
            receiver_app_id: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            amount: initiation.as_ref().map_or(0.0, |body| body.amount),
            currency: text(|body| &body.currency),
            status: "COMPLETED",
            expires_at: "2025-03-05T10:03:00.000Z",
            created_at: "2025-03-04T10:03:00.000Z",
            updated_at: "2025-03-04T10:03:00.000Z",
        },
    };
    match serde_json::to_vec(&document) {
        Ok(bytes) => (code, [(CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
