//! A payment request as a merchant sees it.

use uuid::Uuid;

use flexledger_projections::RequestRow;

use crate::app::App;
use crate::http::write::Writer;

/// A payment request. What is empty is left out.
pub fn request(app: &App, w: &mut Writer, row: &RequestRow) {
    let request = &row.request;
    let payer = app.open(row.payer_name.as_ref()).unwrap_or_else(|| row.payer_address.clone());
    w.object(|w| {
        w.count("ID", request.number.number());
        tag(w.name("PayTag"), request.payee.uuid(), &row.payee_address, &row.merchant_name);
        tag(w.name("Payer"), request.payer.uuid(), &row.payer_address, &payer);
        w.amount("Amount", request.money.amount);
        w.text("Currency", request.money.currency.code());
        w.text("Reference", &request.reference);
        w.text_if("Description", app.open(request.comment.as_ref()).as_deref());
        w.text("Status", request.state.name());
        w.text("Type", "C2M");
        w.raw_if("Metadata", app.open(request.metadata.as_ref()).as_deref());
        if let Some(transaction) = request.transaction {
            w.display("TransactionReference", transaction);
        }
        w.instant("ExpiresAt", request.expires_at);
        w.instant("CreatedAt", request.created_at);
        w.instant("UpdatedAt", request.updated_at);
    });
}

fn tag(w: &mut Writer, id: Uuid, address: &str, name: &str) {
    w.object(|w| {
        w.uuid("ID", id);
        w.text("Tag", address);
        w.text("Name", name);
    });
}
