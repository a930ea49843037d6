//! What stands around each page, and the few files that all pages load.

use std::sync::{Arc, LazyLock};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::feed::Link;
use super::site::Site;

/// What a page is, before what stands around it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: String,
    /// The part of the site that it belongs to.
    pub(super) here: &'static str,
    /// What is to be watched while it is open.
    pub(super) topic: Option<String>,
    pub(super) status: StatusCode,
    pub(super) body: Markup,
}

impl Page {
    pub(super) fn new(title: impl Into<String>, here: &'static str, body: Markup) -> Self {
        Self { title: title.into(), here, topic: None, status: StatusCode::OK, body }
    }

    pub(super) fn live(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }
}

const PARTS: [(&str, &str); 5] = [
    ("/", "Cluster"),
    ("/live", "Live"),
    ("/companies", "Companies"),
    ("/people", "People"),
    ("/conflicts", "Conflicts"),
];

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const ICON: &str = include_str!("icon.svg");

/// Changes when a file does, so that browsers may keep it for good.
static EDITION: LazyLock<String> = LazyLock::new(|| {
    let all = [STYLE, SCRIPT, ICON].concat();
    format!("{:.8}", format!("{:032x}", cocli_core::digest::hash(all.as_bytes())))
});

/// A file that pages load.
pub(super) fn asset(name: &str) -> Option<Response> {
    let (kind, text) = match name {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "script.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return None,
    };
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, kept);
    Some(response)
}

/// The whole page.
pub(super) fn answer(site: &Arc<Site>, page: &Page) -> Response {
    let (link, word) = match site.feed.link() {
        Link::Live => ("good", "live"),
        Link::Down => ("warn", "no daemon runs"),
        Link::Mute(_) => ("bad", "the daemon says nothing"),
    };
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&page.title, &site.node))
            body data-topic=[&page.topic] {
                a.skip href="#main" { "To the content" }
                header {
                    a.brand href="/" { "cocli" span.faint { " on " (site.node) } }
                    nav aria-label="Pages" {
                        @for (path, name) in PARTS {
                            a href=(path) aria-current=[(page.here == path).then_some("page")] { (name) }
                        }
                    }
                    form.search role="search" action=(if page.here == "/people" { "/people" } else { "/companies" }) {
                        label.quiet for="q" { "Find" }
                        input #q type="search" name="q" placeholder=(if page.here == "/people" { "Find people" } else { "Find companies" }) autocomplete="off" maxlength="200";
                    }
                    span.link.(link) #link role="status" { (word) }
                }
                main #main tabindex="-1" { (page.body) }
            }
        }
    };
    (page.status, html_of(body)).into_response()
}

fn head(title: &str, node: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · " (node) " · cocli" }
            link rel="icon" type="image/svg+xml" href={ "/assets/icon.svg?" (*EDITION) };
            link rel="stylesheet" href={ "/assets/style.css?" (*EDITION) };
            script src={ "/assets/script.js?" (*EDITION) } defer {}
        }
    }
}

/// A page for who is not let in: nothing of the home is on it.
pub(super) fn outside(status: StatusCode, why: &str, next: &str, asks: bool) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "cocli" }
                link rel="stylesheet" href={ "/assets/style.css?" (*EDITION) };
            }
            body {
                main {
                    h1 { (why) }
                    p { (next) }
                    @if asks {
                        form {
                            label { "Token " input type="password" name="token" autocomplete="current-password" required autofocus; }
                            " " button { "Open" }
                        }
                    }
                }
            }
        }
    };
    (status, html_of(body)).into_response()
}

/// Goes on to a page once the browser has its cookie. A redirect would still count as coming from where the address
/// was opened, and the cookie, which is sent to nobody but this site, would not come with it.
pub(super) fn entered(on: &str) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "cocli" }
                meta http-equiv="refresh" content={ "0;url=" (on) };
            }
            body { main { p { a href=(on) { "Go on" } } } }
        }
    };
    html_of(body).into_response()
}

fn html_of(body: Markup) -> axum::response::Html<String> {
    axum::response::Html(body.into_string())
}
