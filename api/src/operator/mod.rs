//! The operator's calls (`operations.md` 3), under `/operator/v1`.

use axum::Router;

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}
