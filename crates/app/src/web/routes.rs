//! Which page is where; what reads or writes the home runs beside the threads that talk to browsers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cocli_core::limits::VALUE_BYTES_MAX;
use cocli_node::Home;
use maud::html;

use super::add;
use super::guard::{self, Verdict};
use super::pages::{card, conflicts, home, list, live, node};
use super::shell::{self, Page};
use super::site::Site;
use super::stream;
use super::write::{self, Filled};
use crate::commands::status;
use crate::failure::{Exit, Failure};

/// How long an answer may take, and a form to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a form: the longest value, each byte of it as three.
const FORM_BYTES_MAX: usize = VALUE_BYTES_MAX * 3 + 64 * 1024;

/// What `/metrics` is.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

type Shared = State<Arc<Site>>;
type Pairs = Vec<(String, String)>;

pub(super) fn all(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(|State(site): Shared| show(site, home::page)))
        .route(
            "/node/{name}",
            get(|State(site): Shared, Path(name): Path<String>| {
                show(site, move |site, home| node::page(site, home, &name))
            }),
        )
        .route("/live", get(|State(site): Shared| show(site, live::page)))
        .route("/events", get(events))
        .route("/metrics", get(metrics))
        .route(
            "/companies",
            get(|State(site): Shared, Query(asked): Query<Pairs>| {
                show(site, move |site, home| list::page(site, home, "companies", &asked))
            }),
        )
        .route(
            "/people",
            get(|State(site): Shared, Query(asked): Query<Pairs>| {
                show(site, move |site, home| list::page(site, home, "people", &asked))
            }),
        )
        .route(
            "/companies/{*rest}",
            get(|state: Shared, rest: Path<String>, asked: Query<Pairs>| {
                of_target("companies", state, rest, asked)
            }),
        )
        .route(
            "/people/{*rest}",
            get(|state: Shared, rest: Path<String>, asked: Query<Pairs>| {
                of_target("people", state, rest, asked)
            }),
        )
        .route(
            "/conflicts",
            get(|State(site): Shared, Query(asked): Query<Pairs>| {
                show(site, move |site, home| conflicts::page(site, home, &asked))
            }),
        )
        .route("/set", post(|state: Shared, form: Form<Pairs>| done(state, form, write::set)))
        .route("/undo", post(|state: Shared, form: Form<Pairs>| done(state, form, write::undo)))
        .route(
            "/resolve",
            post(|state: Shared, form: Form<Pairs>| done(state, form, write::resolve)),
        )
        .route("/note", post(|state: Shared, form: Form<Pairs>| done(state, form, add::note)))
        .route(
            "/add/company",
            post(|state: Shared, form: Form<Pairs>| done(state, form, add::company)),
        )
        .route(
            "/add/person",
            post(|state: Shared, form: Form<Pairs>| done(state, form, add::person)),
        )
        .route(
            "/assets/{name}",
            get(|State(site): Shared, Path(name): Path<String>| async move {
                shell::asset(&name).unwrap_or_else(|| missing(&site))
            }),
        )
        .fallback(|State(site): Shared| async move { missing(&site) })
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&site), watched))
        .with_state(site)
}

/// Who is let in, for how long, and with which headers the answer goes out.
async fn watched(State(site): Shared, request: Request, next: Next) -> Response {
    let asset = request.uri().path().starts_with("/assets/");
    let mut response = match site.guard.judge(request.method(), request.uri(), request.headers()) {
        // What a refusal looks like is no secret.
        Verdict::Refuse(StatusCode::UNAUTHORIZED, ..) if asset => next.run(request).await,
        Verdict::Refuse(status, why, next) => {
            shell::outside(status, why, next, status == StatusCode::UNAUTHORIZED)
        }
        Verdict::Enter { cookie, on } => {
            let mut response = shell::entered(&on);
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Verdict::Pass if is_too_long(request.headers()) => refused(StatusCode::PAYLOAD_TOO_LARGE),
        Verdict::Pass => match tokio::time::timeout(PATIENCE, next.run(request)).await {
            Ok(response) if is_bare(&response) => refused(response.status()),
            Ok(response) => response,
            Err(_) => shell::outside(
                StatusCode::SERVICE_UNAVAILABLE,
                "This takes too long.",
                "The machine is busy: try again in a while.",
                false,
            ),
        },
    };
    guard::dress(response.headers_mut());
    response
}

/// Whether it is a refusal of the library that takes requests apart, in few words or none.
fn is_bare(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    response.status().is_client_error()
        && kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/html"))
}

/// The page of such a refusal.
fn refused(status: StatusCode) -> Response {
    let (why, next) = match status {
        StatusCode::METHOD_NOT_ALLOWED => (
            "There is no page here: only a form is sent to this address.",
            "Go back, or to the first page.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("That is more than a field can hold.", "Go back, and put less into it.")
        }
        _ => ("This cannot be read as it was sent.", "Go back, and load the page again."),
    };
    shell::outside(status, why, next, false)
}

/// For Prometheus, which says who it is by `Authorization: Bearer` where a token is asked for.
async fn metrics(State(site): Shared) -> Response {
    let of = Arc::clone(&site);
    match beside(move || status::metrics(&of.home()?)).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(failure) => shell::answer(&site, &failed(&failure)),
    }
}

/// Whether more is to come than a form may have.
fn is_too_long(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: usize| length > FORM_BYTES_MAX)
}

async fn events(State(site): Shared, Query(asked): Query<Pairs>) -> Response {
    let topic = asked.into_iter().find(|(key, _)| key == "of").map(|(_, topic)| topic);
    stream::open(&site, topic.as_deref().unwrap_or_default())
}

async fn of_target(
    collection: &'static str,
    State(site): Shared,
    Path(rest): Path<String>,
    Query(asked): Query<Pairs>,
) -> Response {
    let target = format!("{collection}/{}", rest.trim_end_matches('/'));
    show(site, move |site, home| card::page(site, home, &target, &asked)).await
}

/// Reads the home for a page.
async fn show(
    site: Arc<Site>,
    make: impl FnOnce(&Arc<Site>, &Home) -> Result<Page, Failure> + Send + 'static,
) -> Response {
    let of = Arc::clone(&site);
    let made = beside(move || {
        let home = of.home()?;
        make(&of, &home)
    })
    .await;
    shell::answer(&site, &made.unwrap_or_else(|failure| failed(&failure)))
}

/// Does what a form asks for, and goes on to where it is seen.
async fn done(
    State(site): Shared,
    Form(pairs): Form<Pairs>,
    act: fn(&Arc<Site>, &Home, &Filled) -> Result<String, Failure>,
) -> Response {
    let filled = Filled::new(pairs);
    if !site.guard.made(filled.text("form")) {
        let page = Page {
            status: StatusCode::FORBIDDEN,
            ..told(
                "This page is from before `cocli web` was started again.",
                Some("Nothing was changed: go back, load the page again, and do it once more."),
            )
        };
        return shell::answer(&site, &page);
    }
    let of = Arc::clone(&site);
    let on = beside(move || {
        let home = of.home()?;
        act(&of, &home, &filled)
    })
    .await;
    match on {
        Ok(on) => {
            site.changed();
            let on = HeaderValue::from_str(&on).unwrap_or(HeaderValue::from_static("/"));
            (StatusCode::SEE_OTHER, [(header::LOCATION, on)]).into_response()
        }
        Err(failure) => shell::answer(&site, &failed(&failure)),
    }
}

/// Reads and writes the disk where nobody waits for it who talks to browsers.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Failure::new(Exit::Failed, "This page failed on a fault of the program.")
            .hint("the terminal where `cocli web` runs says more; please report it"))
    })
}

fn missing(site: &Arc<Site>) -> Response {
    let page = Page {
        status: StatusCode::NOT_FOUND,
        ..told(
            "There is no such page.",
            Some(
                "The pages are named at the top; companies and people are found by the search beside them.",
            ),
        )
    };
    shell::answer(site, &page)
}

/// What went wrong, and what to do next.
fn failed(failure: &Failure) -> Page {
    let status = match failure.exit {
        Exit::NotFound => StatusCode::NOT_FOUND,
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::Conflict | Exit::NeedsPerson => StatusCode::CONFLICT,
        Exit::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Page { status, ..told(&failure.message, failure.hint.as_deref()) }
}

fn told(message: &str, next: Option<&str>) -> Page {
    let body = html! {
        h1 { "That did not work" }
        p.lost { (message) }
        @if let Some(next) = next { p { "Next: " (super::pages::worded(next)) } }
        p { a href="/" { "To the cluster" } }
    };
    Page::new("That did not work", "", body)
}
