//! Postings as comma-separated values (RFC 4180): one line each, in the order of the log.

use std::io::Write;

use flexledger_domain::books::Side;
use flexledger_domain::payments::PaymentEvent;
use flexledger_domain::{Event, Recorded};

use super::ExportError;

/// The names of the columns.
pub(super) fn heading(out: &mut impl Write) -> Result<(), ExportError> {
    Ok(out.write_all(b"position,recorded_at,kind,entity,settlement_date,account,side,currency,amount\r\n")?)
}

/// The postings of one event. No cell needs quotes: none holds a comma, a quote or a line end.
pub(super) fn rows(event: &Recorded, out: &mut impl Write) -> Result<(), ExportError> {
    let Some(journal) = event.event.journal() else { return Ok(()) };
    let date = match &event.event {
        Event::Payment(PaymentEvent::Accepted(_, body)) => body.settlement_date.to_string(),
        _ => String::new(),
    };
    for posting in journal.postings() {
        let side = if posting.side == Side::Credit { "credit" } else { "debit" };
        write!(
            out,
            "{},{},{},{},{date},{},{side},{},{}\r\n",
            event.position,
            event.recorded_at,
            event.event.kind(),
            event.event.entity(),
            posting.account,
            posting.money.currency.code(),
            posting.money.text().as_str(),
        )?;
    }
    Ok(())
}
