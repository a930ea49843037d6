//! Who may come in. A page that a browser was lured from, a name that an attacker points at this machine, somebody
//! on the network without the token: each is told apart from the owner here, before anything is read.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode, Uri};
use subtle::ConstantTimeEq;

use super::Options;
use crate::clock;

/// Random bytes of what each form carries.
const FORM_BYTES: usize = 32;
/// Whether a request comes from a page of ours, as browsers tell it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What the answer is for: a page that a person goes to, or a part of one.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// How long a browser remembers the token.
const REMEMBERED_S: u64 = 30 * 24 * 3_600;

/// What is sent with each answer: nothing but our own files runs or is loaded, and nobody frames us.
pub(super) const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// What a request has to show.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<String>,
    /// The cookie's name: browsers share cookies among all ports of a machine.
    cookie: String,
    /// What each form carries; drawn anew at each start.
    form: String,
    /// Names that browsers may call this machine by.
    hosts: Vec<String>,
    loopback: bool,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered.
    Pass,
    /// It brought the token: the browser is given this cookie, and goes on to this page.
    Enter { cookie: String, on: String },
    /// It is refused: the status, why, and what to do.
    Refuse(StatusCode, &'static str, &'static str),
}

impl Guard {
    pub(super) fn new(options: Options, address: SocketAddr) -> Self {
        let own = hostname::get().unwrap_or_default().to_string_lossy().to_lowercase();
        let mut hosts: Vec<String> = options.hosts.iter().map(|name| name.to_lowercase()).collect();
        hosts.push("localhost".into());
        if !address.ip().is_loopback() && !own.is_empty() {
            hosts.push(format!("{own}.local"));
            hosts.push(own);
        }
        Self {
            token: options.token,
            cookie: format!("cocli_{}", address.port()),
            form: clock::random::<FORM_BYTES>().map(|byte| format!("{byte:02x}")).concat(),
            hosts,
            loopback: address.ip().is_loopback(),
        }
    }

    /// What each form carries.
    pub(super) fn form(&self) -> &str {
        &self.form
    }

    /// Whether a form is one that this process made.
    pub(super) fn made(&self, form: &str) -> bool {
        same(form, &self.form)
    }

    pub(super) fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let named = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = named(HOST);
        let both = [host, uri.authority().map(|authority| authority.as_str())];
        // Who stands between may go by another one of two.
        let one = headers.get_all(HOST).iter().count() == 1;
        if !one || host.is_none() || !both.into_iter().flatten().all(|host| self.is_ours(host)) {
            return Verdict::Refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "This is not the name of this machine.",
                "Open it by its address, or start it with `cocli web --host NAME`.",
            );
        }
        if !matches!(*method, Method::GET | Method::HEAD | Method::POST) {
            return Verdict::Refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "Nothing here is done so.",
                "Use a page's own buttons.",
            );
        }
        let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        let site = named(FETCH_SITE).unwrap_or("same-origin");
        let elsewhere = origin.is_some_and(|origin| is_another(origin, host.unwrap_or_default()))
            || site != "same-origin";
        // A link leads here from anywhere. A page of another site has us make nothing else, not even work.
        let goes = named(FETCH_MODE) == Some("navigate") && named(FETCH_DEST) == Some("document");
        let uses = matches!(site, "cross-site" | "same-site") && !goes;
        if uses || (*method == Method::POST && elsewhere) {
            return Verdict::Refuse(
                StatusCode::FORBIDDEN,
                "This was sent by a page of another site, and nothing was changed.",
                "If it was you, open the page here and do it again.",
            );
        }
        self.admit(method, uri, headers)
    }

    /// Whether it brings the token, where one is asked for.
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let Some(token) = &self.token else { return Verdict::Pass };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut cookies =
            cookies.flat_map(|all| all.split(';')).filter_map(|one| one.trim().split_once('='));
        let known = cookies.any(|(name, value)| name == self.cookie && same(value, token));
        let sent = uri.query().into_iter().flat_map(|query| query.split('&'));
        let (tokens, rest): (Vec<&str>, Vec<&str>) =
            sent.partition(|part| part.starts_with("token="));
        let brought = tokens.iter().filter_map(|part| part.strip_prefix("token="));
        if *method == Method::GET && brought.clone().any(|brought| same(brought, token)) {
            let on = match rest.is_empty() {
                true => uri.path().to_owned(),
                false => format!("{}?{}", uri.path(), rest.join("&")),
            };
            let cookie = format!(
                "{}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={REMEMBERED_S}",
                self.cookie
            );
            return Verdict::Enter {
                cookie,
                on: format!("/{}", on.trim_start_matches(['/', '\\'])),
            };
        }
        if known || bearer.is_some_and(|bearer| same(bearer, token)) {
            return Verdict::Pass;
        }
        Verdict::Refuse(
            StatusCode::UNAUTHORIZED,
            "This home asks for its token.",
            "Open the address that `cocli web` printed, with `?token=` in it; or type the token here.",
        )
    }

    /// Whether a browser that asks for this host means this machine. An address cannot be pointed elsewhere, a name can.
    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.strip_prefix('[') {
            Some(six) => six.split_once(']').unwrap_or((six, "?")),
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let address = |ip: IpAddr| !self.loopback || ip.is_loopback();
        port && (name.parse().is_ok_and(address) || self.hosts.contains(&name))
    }
}

/// Whether an origin is not this host; before TLS there may stand a proxy.
fn is_another(origin: &str, host: &str) -> bool {
    let ours = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    !ours.is_some_and(|ours| ours.eq_ignore_ascii_case(host))
}

/// Compares in a time that tells nothing but the length.
fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Puts what is sent with each answer into its headers.
pub(super) fn dress(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let store = HeaderValue::from_static("no-store");
    headers.entry(axum::http::header::CACHE_CONTROL).or_insert(store);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn guard(listen: &str, token: Option<&str>, hosts: &[&str]) -> Guard {
        let listen: SocketAddr = listen.parse().unwrap();
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Guard::new(Options { listen, token: token.map(str::to_owned), hosts, streams: 1 }, listen)
    }

    fn judge(guard: &Guard, method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        guard.judge(&method.parse().unwrap(), &uri.parse().unwrap(), &map)
    }

    fn status(verdict: Verdict) -> u16 {
        match verdict {
            Verdict::Pass => 200,
            Verdict::Enter { .. } => 303,
            Verdict::Refuse(status, ..) => status.as_u16(),
        }
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let here = guard("127.0.0.1:7777", None, &["Pi1.Example"]);
        let host = |host: &str| status(judge(&here, "GET", "/", &[("host", host)]));
        for ours in [
            "127.0.0.1:7777",
            "localhost",
            "LOCALHOST:1",
            "[::1]:7777",
            "127.1.2.3",
            "pi1.example:7777",
        ] {
            assert_eq!(host(ours), 200, "{ours}");
        }
        for other in [
            "evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.5",
            "",
            "localhost.evil",
            "[::2]",
            "localhost:1@evil",
            "[::1]evil",
            "[::1",
        ] {
            assert_eq!(host(other), 421, "{other}");
        }
        assert_eq!(status(judge(&here, "GET", "/", &[])), 421, "without any");
        let two = judge(&here, "GET", "/", &[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(status(two), 421, "two of them");
        let full = judge(&here, "GET", "http://evil.example/", &[("host", "localhost")]);
        assert_eq!(status(full), 421, "another one in the first line");
        let wide = guard("0.0.0.0:7777", Some(TOKEN), &[]);
        let bearer = ("authorization", format!("Bearer {TOKEN}"));
        let with =
            |host: &str| status(judge(&wide, "GET", "/", &[("host", host), (bearer.0, &bearer.1)]));
        assert_eq!((with("10.0.0.5:7777"), with("evil.example")), (200, 421));
    }

    #[test]
    fn a_change_that_a_page_of_another_site_sends_is_refused() {
        let here = guard("127.0.0.1:7777", None, &[]);
        let post = |headers: &[(&'static str, &str)]| {
            let all = [&[("host", "localhost:7777")], headers].concat();
            status(judge(&here, "POST", "/set", &all))
        };
        assert_eq!(
            post(&[("origin", "http://localhost:7777"), ("sec-fetch-site", "same-origin")]),
            200
        );
        assert_eq!(post(&[]), 200, "no browser: the form tells");
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:7778",
            "http://localhost:7777.evil",
            "\u{e4}",
        ] {
            assert_eq!(post(&[("origin", origin)]), 403, "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(post(&[("sec-fetch-site", site)]), 403, "{site}");
        }
        let get = |site: &str, mode: &str, dest: &str| {
            let fetch =
                [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            status(judge(
                &here,
                "GET",
                "/companies?q=a",
                &[&[("host", "localhost")], &fetch[..]].concat(),
            ))
        };
        assert_eq!(get("cross-site", "navigate", "document"), 200, "a link that a person follows");
        assert_eq!(get("none", "navigate", "document"), 200, "typed");
        assert_eq!(get("same-origin", "cors", "empty"), 200, "our own script");
        for (mode, dest) in [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")] {
            for site in ["cross-site", "same-site"] {
                assert_eq!(get(site, mode, dest), 403, "{site} {mode} {dest}");
            }
        }
        assert_eq!(status(judge(&here, "DELETE", "/", &[("host", "localhost")])), 405);
        assert!(here.made(here.form()) && !here.made("") && !here.made("0"));
        assert!(!guard("127.0.0.1:7777", None, &[]).made(here.form()), "of an earlier start");
    }

    #[test]
    fn the_token_comes_once_by_the_address_and_then_by_the_cookie_or_a_header() {
        let wide = guard("0.0.0.0:7777", Some(TOKEN), &[]);
        let get = |uri: &str, headers: &[(&'static str, &str)]| {
            judge(&wide, "GET", uri, &[&[("host", "10.0.0.5:7777")], headers].concat())
        };
        let Verdict::Enter { cookie, on } =
            get(&format!("/companies?q=a&token={TOKEN}&where=b"), &[])
        else {
            panic!("not let in")
        };
        assert_eq!(on, "/companies?q=a&where=b");
        assert!(
            cookie.starts_with(&format!("cocli_7777={TOKEN}; HttpOnly; SameSite=Strict; Path=/;")),
            "{cookie}"
        );
        for away in ["//evil.example/", "/\\evil.example/", "/\\/\\evil.example/"] {
            let verdict = get(&format!("{away}?token={TOKEN}"), &[]);
            let on = "/evil.example/".to_owned();
            assert_eq!(verdict, Verdict::Enter { cookie: cookie.clone(), on }, "{away}");
        }
        let with = |headers: &[(&'static str, &str)]| status(get("/", headers));
        assert_eq!(with(&[("cookie", &format!("a=b; cocli_7777={TOKEN}"))]), 200);
        assert_eq!(with(&[("authorization", &format!("Bearer {TOKEN}"))]), 200);
        let wrong = TOKEN.replace('f', "e");
        for headers in [
            vec![],
            vec![("cookie", format!("cocli_7777={wrong}"))],
            vec![("cookie", format!("cocli_7778={TOKEN}"))],
            vec![("authorization", format!("Bearer {wrong}"))],
            vec![("authorization", "Bearer ".to_owned())],
        ] {
            let headers: Vec<(&'static str, &str)> =
                headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            assert_eq!(with(&headers), 401, "{headers:?}");
        }
        assert_eq!(status(get(&format!("/?token={wrong}"), &[])), 401);
        let post = judge(&wide, "POST", &format!("/set?token={TOKEN}"), &[("host", "10.0.0.5")]);
        assert_eq!(status(post), 401, "a change is not let in by its address");
    }
}
