//! What an administrator may look at and change (`idaas.md` 3.7). The ledger itself can only be read.

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use flexledger_domain::identity::DeactivateApplication;
use flexledger_domain::ids::{ApplicationId, SettlementId};
use flexledger_projections::{Page, Paged, WalletRow};

use super::show::{self, Application, Secrets};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::{Fields, parse_uuid};
use crate::http::paging;
use crate::http::query::Query;
use crate::http::write::Writer;

/// What lists are ordered by, newest first, when nothing was asked.
const USUAL: &str = "createdAt";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/admin/entities", get(entities))
        .route("/api/v1/admin/entities/{entity}", get(list))
        .route("/api/v1/admin/entities/{entity}/{id}", get(read).patch(change).delete(remove))
}

/// The caller, who has `ROLE_ADMIN`.
struct Admin(Caller);

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if caller.admin { Ok(Admin(caller)) } else { Err(Code::Denied.into()) }
    }
}

/// What there is to look at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entity {
    Applications,
    Wallets,
    Settlements,
}

impl Entity {
    const ALL: [Entity; 3] = [Entity::Applications, Entity::Wallets, Entity::Settlements];

    fn name(self) -> &'static str {
        match self {
            Entity::Applications => "applications",
            Entity::Wallets => "wallets",
            Entity::Settlements => "settlements",
        }
    }
}

/// The entity of a path and, where the path goes on, the id behind it.
struct Place(Result<Entity, ApiError>, String);

impl FromRequestParts<App> for Place {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::invalid("path is not percent-encoded UTF-8"))?;
        let mut values = params.iter().map(|(_, value)| value);
        let name = values.next().unwrap_or_default();
        let entity = Entity::ALL.into_iter().find(|entity| entity.name() == name);
        let id = values.next().unwrap_or_default().to_owned();
        Ok(Place(entity.ok_or_else(|| ApiError::invalid("entity is unknown")), id))
    }
}

impl Place {
    /// An entity with an id in it; whatever else it is, it is not found.
    fn one(&self) -> Result<(Entity, uuid::Uuid), ApiError> {
        match (&self.0, parse_uuid(&self.1)) {
            (Ok(entity), Some(id)) => Ok((*entity, id)),
            _ => Err(Code::NotFound.into()),
        }
    }
}

/// `GET /v1/admin/entities`: the names of what there is.
async fn entities(State(app): State<App>, _: Admin) -> Response {
    envelope::success(StatusCode::OK, "Entities found", app.now(), |w| {
        w.array(Entity::ALL, |w, entity| w.string(entity.name()));
    })
}

/// `GET /v1/admin/entities/{entity}`: a page of them, newest first unless asked otherwise.
async fn list(State(app): State<App>, _: Admin, place: Place, query: Query) -> Result<Response, ApiError> {
    let page = paging::read(&query)?;
    let views = app.fresh_views().await?;
    let message = "Entities found";
    match place.0? {
        Entity::Applications => {
            let mut rows = views.applications(None).await?;
            sort(&page, &mut rows, |property| match property {
                "createdAt" => Some(|a, b| a.created_at.cmp(&b.created_at)),
                "name" => Some(|a, b| a.name.cmp(&b.name)),
                "appHandle" => Some(|a, b| a.handle.cmp(&b.handle)),
                "active" => Some(|a, b| a.active.cmp(&b.active)),
                _ => None,
            })?;
            let paged = cut(&page, rows);
            let items = paged.items.into_iter().map(Application::new).collect::<Result<Vec<_>, _>>()?;
            let paged = Paged { items, total: paged.total };
            Ok(envelope::success(StatusCode::OK, message, app.now(), |w| {
                paging::write(w, &page, USUAL, &paged, |w, one| one.write(w, &Secrets::default()));
            }))
        }
        Entity::Wallets => {
            let mut rows = views.wallets(None).await?;
            sort(&page, &mut rows, |property| match property {
                "createdAt" => Some(|a: &WalletRow, b| a.created_at.cmp(&b.created_at)),
                "currency" => Some(|a, b| a.currency.code().cmp(b.currency.code())),
                "balance" => Some(|a, b| a.balance.cmp(&b.balance)),
                _ => None,
            })?;
            let paged = cut(&page, rows);
            Ok(envelope::success(StatusCode::OK, message, app.now(), |w| {
                paging::write(w, &page, USUAL, &paged, show::wallet);
            }))
        }
        Entity::Settlements => {
            let paged = views.settlements(&page).await?;
            Ok(envelope::success(StatusCode::OK, message, app.now(), |w| {
                paging::write(w, &page, "settlementDate", &paged, |w, row| show::settlement(w, row, false));
            }))
        }
    }
}

type Order<T> = fn(&T, &T) -> std::cmp::Ordering;

/// Puts rows into the order that was asked for. Rows come oldest first.
fn sort<T>(page: &Page, rows: &mut [T], by: impl Fn(&str) -> Option<Order<T>>) -> Result<(), ApiError> {
    rows.reverse();
    for part in page.sort.iter().rev() {
        let order = by(&part.property).ok_or_else(|| ApiError::invalid("sort names an unknown property"))?;
        rows.sort_by(|a, b| if part.descending { order(b, a) } else { order(a, b) });
    }
    Ok(())
}

fn cut<T>(page: &Page, rows: Vec<T>) -> Paged<T> {
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    Paged { items: rows.into_iter().skip(skip).take(size).collect(), total }
}

/// `GET /v1/admin/entities/{entity}/{id}`: one of them.
async fn read(State(app): State<App>, _: Admin, place: Place) -> Result<Response, ApiError> {
    let (entity, id) = place.one()?;
    let views = app.fresh_views().await?;
    let success = |write: &mut dyn FnMut(&mut Writer)| {
        Ok(envelope::success(StatusCode::OK, "Entity found", app.now(), |w| write(w)))
    };
    match entity {
        Entity::Applications => {
            let row = views.application(ApplicationId::from_uuid(id)).await?.ok_or(Code::NotFound)?;
            let application = Application::new(row)?;
            success(&mut |w| application.write(w, &Secrets::default()))
        }
        Entity::Wallets => {
            let rows = views.wallets(None).await?;
            let row = rows.into_iter().find(|row| row.id.uuid() == id).ok_or(Code::NotFound)?;
            success(&mut |w| show::wallet(w, &row))
        }
        Entity::Settlements => {
            let row = views.settlement(SettlementId::from_uuid(id)).await?.ok_or(Code::NotFound)?;
            success(&mut |w| show::settlement(w, &row, true))
        }
    }
}

/// Switches an application off: the one change there is. What is on the books is refused.
async fn switch_off(app: &App, admin: &Admin, place: &Place) -> Result<Application, ApiError> {
    let (_, id) = place.one()?;
    let application = ApplicationId::from_uuid(id);
    let command = DeactivateApplication { caller: admin.0.id(), admin: true, application };
    let done = app.engine().submit(command).await.map_err(as_not_found)?;
    let row = app.views_at(done.position).await?.application(application).await?.ok_or(Code::NotFound)?;
    Application::new(row)
}

/// Here an application is an entity like any other.
fn as_not_found(failure: flexledger_commands::Failure) -> ApiError {
    match ApiError::from(failure) {
        ApiError { code: Code::ApplicationNotFound, .. } => Code::NotFound.into(),
        error => error,
    }
}

fn may_change(place: &Place) -> Result<(), ApiError> {
    match place.one()? {
        (Entity::Applications, _) => Ok(()),
        _ => Err(Code::Denied.into()),
    }
}

/// `PATCH /v1/admin/entities/{entity}/{id}`: of an application, `active` can be set to false; nothing else can be
/// changed, and the ledger not at all.
async fn change(
    State(app): State<App>,
    admin: Admin,
    place: Place,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    may_change(&place)?;
    let mut fields = Fields::parse(&body)?;
    let active = fields.optional_flag("active");
    if active == Some(true) {
        fields.problem("active", "can only be set to false");
    }
    fields.refuse_others("cannot be changed");
    fields.finish()?;
    if active.is_none() {
        return Err(ApiError::invalid("active is required"));
    }
    let application = switch_off(&app, &admin, &place).await?;
    Ok(envelope::success(StatusCode::OK, "Entity updated", app.now(), |w| {
        application.write(w, &Secrets::default());
    }))
}

/// `DELETE /v1/admin/entities/{entity}/{id}`: switches an application off. It stays on record: history is not deleted.
async fn remove(State(app): State<App>, admin: Admin, place: Place) -> Result<Response, ApiError> {
    may_change(&place)?;
    switch_off(&app, &admin, &place).await?;
    Ok(envelope::done("Entity deleted", app.now()))
}
