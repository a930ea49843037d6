//! `cocli web` over a real socket, as a browser, a script and an attacker speak to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::until;
use crate::support::Home;

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
/// How long the process may go on after it was asked to end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

struct Web {
    child: Child,
    port: u16,
    url: String,
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

fn web(home: &Home, words: &[&str]) -> Web {
    let mut command = home.command();
    command.args(["--json", "web"]).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let listening = told["listening"].as_str().unwrap();
    let port = listening.rsplit(':').next().unwrap().parse().unwrap();
    Web { child, port, url: told["url"].as_str().unwrap().to_owned() }
}

fn here(home: &Home) -> Web {
    web(home, &["--listen", "127.0.0.1:0"])
}

impl Web {
    fn open(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    /// Sends these bytes, and reads until the other side closes.
    fn raw(&self, request: &str) -> Answer {
        let mut socket = self.open();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.replace('\r', ""), body: body.to_owned() }
    }

    fn ask(&self, first: &str, headers: &[&str], body: &str) -> Answer {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        self.raw(&format!("{first} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &["host: localhost"], "")
    }

    fn post(&self, path: &str, headers: &[&str], pairs: &[(&str, &str)]) -> Answer {
        let byte = |byte: u8| format!("%{byte:02X}");
        let encoded = |text: &str| text.bytes().map(byte).collect::<String>();
        let body: Vec<String> =
            pairs.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
        let all =
            [&["host: localhost", "content-type: application/x-www-form-urlencoded"], headers]
                .concat();
        self.ask(&format!("POST {path}"), &all, &body.join("&"))
    }

    /// Opens a stream and reads its head.
    fn stream(&self, topic: &str) -> BufReader<TcpStream> {
        let mut socket = self.open();
        write!(socket, "GET /events?of={topic} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut lines = BufReader::new(socket);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        lines
    }
}

/// What stands behind a name in the first form that has it.
fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let mark = format!("name=\"{name}\" value=\"");
    let at = page.find(&mark).unwrap() + mark.len();
    &page[at..at + page[at..].find('"').unwrap()]
}

/// Reads a stream until a line holds this.
fn hears(stream: &mut BufReader<TcpStream>, wanted: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended before {wanted:?}");
        if line.contains(wanted) {
            return line;
        }
    }
}

fn company() -> Home {
    let home = Home::new();
    home.run(&["add", "company", "Acme Inc.", "--set", "city=Dallas"]).ok();
    home
}

#[test]
fn every_page_is_answered_with_what_keeps_others_out_and_an_unknown_one_says_what_to_do() {
    let home = company();
    home.run(&["add", "person", "Jane Doe", "--company", "acme-inc"]).ok();
    let web = here(&home);
    for page in [
        "/",
        "/live",
        "/companies",
        "/people",
        "/conflicts",
        "/companies/acme-inc",
        "/people/jane-doe",
        "/node/pi1",
        "/assets/style.css",
        "/assets/script.js",
    ] {
        let answer = web.get(page);
        assert_eq!(answer.status, 200, "{page}: {}", answer.body);
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
        for header in [
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: same-origin",
        ] {
            assert!(answer.head.contains(header), "{page}: {header}");
        }
        assert!(!answer.body.contains("style=") && !answer.body.contains("<script>"), "{page}");
    }
    let metrics = web.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(metrics.body.contains("\ncocli_companies 1\n"), "{}", metrics.body);
    let unknown = web.get("/companies/acme");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body.contains("the nearest is <code>companies/acme-inc</code>"),
        "{}",
        unknown.body
    );
    for odd in [
        "/companies/../../etc/passwd",
        "/companies/%2e%2e%2f%2e%2e%2fetc",
        "/companies?where=nonsense",
    ] {
        assert_eq!(web.get(odd).status, 400, "{odd}");
    }
    assert_eq!(web.get("/nowhere").status, 404);
    // What the library below refuses is a page with a word, too.
    for (odd, status) in [("/set", 405), ("/companies/%ff", 400), ("/companies?where=%ff", 400)] {
        let refused = web.get(odd);
        assert_eq!((refused.status, refused.body.contains("<h1>")), (status, true), "{odd}");
    }
    // Without its own files the home cannot be read.
    std::fs::rename(home.file(".cocli/id"), home.file(".cocli/away")).unwrap();
    let broken = web.get("/companies");
    assert!(broken.status >= 400 && broken.body.contains("That did not work"), "{}", broken.body);
}

#[test]
fn another_host_another_origin_and_a_form_of_another_process_are_refused_and_nothing_changes() {
    let home = company();
    home.run(&["web", "--host", "pi.example:8080"]).fails(2, "without a port");
    let web = here(&home);
    assert_eq!(web.ask("GET /", &["host: evil.example"], "").status, 421);
    assert_eq!(web.ask("GET /", &[], "").status, 421);
    let page = web.get("/companies/acme-inc").body;
    let (form, seen) = (hidden(&page, "form"), hidden(&page, "seen"));
    let pairs = [
        ("form", form),
        ("target", "companies/acme-inc"),
        ("field", "city"),
        ("value", "x"),
        ("seen", seen),
    ];
    for headers in
        [["origin: http://evil.example"], ["origin: null"], ["sec-fetch-site: cross-site"]]
    {
        assert_eq!(web.post("/set", &headers, &pairs).status, 403, "{headers:?}");
    }
    assert_eq!(web.post("/set", &[], &[&[("form", "0")], &pairs[1..]].concat()).status, 403);
    assert_eq!(web.post("/set", &[], &pairs[1..]).status, 403);
    assert_eq!(home.run(&["get", "companies/acme-inc", "city"]).ok(), "Dallas\n");
    let large = "POST /set HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 999999999\r\nconnection: close\r\n\r\n";
    assert_eq!(web.raw(large).status, 413);
}

#[test]
fn any_other_address_asks_for_the_token_of_the_home() {
    use std::os::unix::fs::MetadataExt;
    let home = company();
    let web = web(&home, &["--listen", "0.0.0.0:0"]);
    let file = home.file(".cocli/web.token");
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(web.url.ends_with(&format!("?token={token}")), "{}", web.url);
    let refused = web.get("/companies");
    assert_eq!(refused.status, 401);
    assert!(!refused.body.contains("Acme") && !refused.body.contains("pi1"), "{}", refused.body);
    assert_eq!(web.get("/events?of=live").status, 401);
    let entered = web.get(&format!("/companies?q=acme&token={token}"));
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(entered.header("set-cookie").unwrap().contains("HttpOnly; SameSite=Strict"));
    assert!(entered.body.contains("url=/companies?q=acme\""), "{}", entered.body);
    let known = web.ask("GET /companies", &["host: localhost", &format!("cookie: {cookie}")], "");
    assert!(known.status == 200 && known.body.contains("Acme Inc."));
    let bearer = format!("authorization: Bearer {token}");
    assert_eq!(web.ask("GET /companies", &["host: localhost", &bearer], "").status, 200);
}

#[test]
fn what_stands_in_data_is_shown_and_never_markup() {
    let home = Home::new();
    let set = |field: &str| format!("{field}={EVIL}");
    home.run(&[
        "add",
        "company",
        EVIL,
        "--slug",
        "evil",
        "--set",
        &set("city"),
        "--set",
        &set("domain"),
        "--set",
        &set("email"),
        "--set",
        &set("description"),
    ])
    .ok();
    home.run(&[
        "set",
        "companies/evil",
        &format!("tags+={EVIL}"),
        &set("odd"),
        &set("next_step"),
        &set("phone_1"),
        "website_url=javascript:alert(1)",
    ])
    .ok();
    home.run(&["note", "add", "companies/evil", EVIL, "--body", EVIL]).ok();
    home.run(&[
        "add",
        "person",
        EVIL,
        "--slug",
        "mallory",
        "--company",
        "evil",
        "--set",
        &set("role"),
        "--set",
        &set("email"),
    ])
    .ok();
    let web = here(&home);
    let search = format!(
        "/companies?q={}&where={}",
        "%3Cscript%3Ealert(1)", "city=%3Cscript%3Ealert(1)%3C/script%3E%22'%3E%3Cimg"
    );
    for page in [
        "/",
        "/companies",
        "/people",
        "/companies/evil",
        "/people/mallory",
        "/companies/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/companies/evil?saved=city",
        &search,
    ] {
        let body = web.get(page).body;
        for mark in ["<script>alert", "<img", "href=\"javascript:", "\" onerror", "<script>\""] {
            assert!(!body.contains(mark), "{page}: {mark}");
        }
    }
    assert!(web.get("/companies/evil").body.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn a_field_is_set_and_taken_back_as_by_the_commands_and_nobodys_value_is_written_over() {
    let home = company();
    let web = here(&home);
    let page = web.get("/companies/acme-inc").body;
    let city = &page[page.find("id=\"f-city\"").unwrap()..];
    let (form, seen) = (hidden(&page, "form").to_owned(), hidden(city, "seen").to_owned());
    let with = |value: &'static str| {
        [
            ("form", form.as_str()),
            ("target", "companies/acme-inc"),
            ("field", "city"),
            ("value", value),
            ("seen", seen.as_str()),
        ]
        .map(|(k, v)| (k, v.to_owned()))
    };
    let send = |path: &str, pairs: &[(&str, String)]| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        web.post(path, &["origin: http://localhost", "sec-fetch-site: same-origin"], &pairs)
    };
    let saved = send("/set", &with("Austin"));
    assert_eq!(
        (saved.status, saved.header("location")),
        (303, Some("/companies/acme-inc?saved=city#f-city"))
    );
    assert_eq!(home.run(&["get", "companies/acme-inc", "city"]).ok(), "Austin\n");
    assert!(home.read("companies/acme-inc/_index.md").contains("city: Austin"));
    // The page that was made before knows nothing of it.
    let late = send("/set", &with("Houston"));
    assert_eq!(late.status, 409);
    assert!(
        late.body.contains("was changed meanwhile by pi1: it is &quot;Austin&quot; now"),
        "{}",
        late.body
    );
    let mut back = with("");
    back[4].1 = hidden(&web.get("/companies/acme-inc?saved=city").body, "seen").to_owned();
    assert_eq!(send("/undo", &back).status, 303);
    assert_eq!(home.run(&["get", "companies/acme-inc", "city"]).ok(), "Dallas\n");
    for (field, status) in [("_deleted", 400), ("", 400), ("a b", 400)] {
        let mut pairs = with("true");
        pairs[2].1 = field.to_owned();
        pairs[4].1 = String::new();
        assert_eq!(send("/set", &pairs).status, status, "{field}");
    }
    let mut new = with("x");
    new[1].1 = "companies/nobody".to_owned();
    new[4].1 = String::new();
    assert_eq!(send("/set", &new).status, 404, "a slip of the address makes no company");
}

#[test]
fn only_what_the_page_showed_is_taken_back_and_a_save_of_the_same_leaves_nothing_to_take_back() {
    let home = company();
    home.run(&["set", "companies/acme-inc", "city=Austin"]).ok();
    let web = here(&home);
    let page = web.get("/companies/acme-inc").body;
    let seen = |page: &str| hidden(&page[page.find("id=\"f-city\"").unwrap()..], "seen").to_owned();
    let send = |path: &str, value: &str, seen: &str| {
        let pairs = [
            ("form", hidden(&page, "form")),
            ("target", "companies/acme-inc"),
            ("field", "city"),
            ("value", value),
            ("seen", seen),
        ];
        web.post(path, &[], &pairs)
    };
    let same = send("/set", "Austin", &seen(&page));
    assert_eq!(same.header("location"), Some("/companies/acme-inc?same=city#f-city"));
    let told = web.get("/companies/acme-inc?same=city").body;
    assert!(told.contains("was so already") && !told.contains("action=\"/undo\""), "{told}");
    assert_eq!(send("/set", "Mine", &seen(&page)).status, 303);
    let saved = web.get("/companies/acme-inc?saved=city").body;
    assert_eq!(hidden(&saved, "seen"), seen(&saved), "what is taken back is what is shown");
    // The same node writes from elsewhere: its newest command is another one by now.
    home.run(&["set", "companies/acme-inc", "city=Theirs"]).ok();
    for old in [seen(&saved), String::new()] {
        let late = send("/undo", "", &old);
        assert!(
            late.status == 409 && late.body.contains("nothing was taken back"),
            "{}",
            late.body
        );
    }
    assert_eq!(home.run(&["get", "companies/acme-inc", "city"]).ok(), "Theirs\n");
    let now = seen(&web.get("/companies/acme-inc").body);
    assert_eq!((send("/undo", "", &now).status, send("/undo", "", &now).status), (303, 409));
    assert_eq!(home.run(&["get", "companies/acme-inc", "city"]).ok(), "Mine\n");
}

#[test]
fn a_text_that_would_be_something_else_as_json_stays_the_text_that_was_typed() {
    let home = company();
    let web = here(&home);
    let mut seen = String::new();
    for typed in ["null", "\"quoted\"", "[\"a\"]", "{}", "=a+=b"] {
        let page = web.get("/companies/acme-inc").body;
        if let Some(at) = page.find("id=\"f-odd\"") {
            seen = hidden(&page[at..], "seen").to_owned();
        }
        let pairs = [
            ("form", hidden(&page, "form")),
            ("target", "companies/acme-inc"),
            ("field", "odd"),
            ("value", typed),
            ("seen", &seen),
        ];
        assert_eq!(web.post("/set", &[], &pairs).status, 303, "{typed}");
        assert_eq!(home.run(&["get", "companies/acme-inc", "odd"]).ok(), format!("{typed}\n"));
    }
}

#[test]
fn a_company_a_person_and_a_note_are_added_and_what_is_there_already_is_not_written_over() {
    let home = company();
    let web = here(&home);
    let form = hidden(&web.get("/companies").body, "form").to_owned();
    let send = |path: &str, pairs: &[(&str, &str)]| {
        web.post(path, &[], &[&[("form", form.as_str())], pairs].concat())
    };
    let company = send("/add/company", &[("name", EVIL), ("domain", "evil.example"), ("city", "")]);
    assert_eq!(company.status, 303, "{}", company.body);
    let on = company.header("location").unwrap().to_owned();
    let page = web.get(&on).body;
    assert!(page.contains("Added: <strong>&lt;script&gt;") && !page.contains("<script>alert"));
    let target = on.trim_start_matches('/').split('?').next().unwrap().to_owned();
    assert_eq!(home.run(&["get", &target, "domain"]).ok(), "evil.example\n");
    let again = send("/add/company", &[("name", "Acme Inc.")]);
    assert!(again.status == 409 && again.body.contains("is there already"), "{}", again.body);
    assert_eq!(home.run(&["get", "companies/acme-inc", "city"]).ok(), "Dallas\n");
    let jane = [("name", "Jane Doe"), ("company", "Acme Inc."), ("role", "CTO"), ("phone", "null")];
    assert_eq!(
        send("/add/person", &jane).header("location"),
        Some("/people/jane-doe?added=1"),
        "by the name of her company"
    );
    assert_eq!(home.run(&["get", "people/jane-doe", "company"]).ok(), "companies/acme-inc\n");
    assert_eq!(home.run(&["get", "people/jane-doe", "phone"]).ok(), "null\n");
    assert!(web.get("/companies/acme-inc").body.contains("Jane Doe</a>, <bdi>CTO"));
    let noted =
        send("/note", &[("target", "companies/acme-inc"), ("text", "Call back\r\n<b>soon</b>")]);
    let page = web.get(noted.header("location").unwrap().split('#').next().unwrap()).body;
    assert!(page.contains("Noted: ") && page.contains("Call back\n&lt;b&gt;soon&lt;/b&gt;"));
    assert!(home.run(&["note", "list", "companies/acme-inc"]).ok().contains("Call back"));
    for (path, pairs, status) in [
        ("/add/company", vec![("name", " ")], 400),
        ("/add/person", vec![("name", "Jim"), ("company", "Nobody")], 404),
        ("/add/person", vec![("name", "Jim"), ("company", "people/jane-doe")], 400),
        ("/note", vec![("target", "companies/acme-inc"), ("text", " ")], 400),
        ("/note", vec![("target", "companies/nobody"), ("text", "x")], 404),
        ("/note", vec![("target", "nodes/pi1"), ("text", "x")], 400),
    ] {
        assert_eq!(send(path, &pairs).status, status, "{path} {pairs:?}");
    }
    let foreign =
        web.post("/note", &[], &[("form", "0"), ("target", "companies/acme-inc"), ("text", "x")]);
    assert_eq!(foreign.status, 403);
    assert_eq!(home.run(&["list", "people"]).ok().lines().count(), 1, "Jim was not added");
    home.run(&["rm", "companies/acme-inc"]).ok();
    assert_eq!(send("/note", &[("target", "companies/acme-inc"), ("text", "x")]).status, 409);
}

#[test]
fn the_cluster_is_shown_as_the_door_tells_it_and_what_it_follows_comes_over_the_stream() {
    let home = company();
    home.run(&["config", "set", "bucket.url", "s3://team"]).ok();
    // In place of a daemon: what docs/watching.md says, by hand.
    let door = UnixListener::bind(home.file(".cocli/sock")).unwrap();
    let (say, lines) = std::sync::mpsc::channel::<String>();
    let lines = std::sync::Arc::new(std::sync::Mutex::new(lines));
    std::thread::spawn(move || {
        for socket in door.incoming().map_while(Result::ok) {
            let lines = std::sync::Arc::clone(&lines);
            std::thread::spawn(move || serve(socket, &lines));
        }
    });
    let web = here(&home);
    until(|| web.get("/").body.contains("2 of 3 nodes are up"));
    let page = web.get("/").body;
    for said in [
        "pi9</a>",
        ">down<",
        "50 % free",
        "1 of 4",
        "1/2 identical; pi8 differs in companies/x city",
        "clocks differ: by this machine's pi8 is 90 s ahead",
        "pi9 is down for 2 h: <code>cocli daemon</code> there",
        "nothing there: put it right with <code>cocli set</code></li>",
        "the bucket: s3://team: PUT: 403: other credentials or rights are needed",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("<b>"), "{page}");
    let (mut live, mut card, mut other) =
        (web.stream("live"), web.stream("companies/acme-inc"), web.stream("companies/other"));
    hears(&mut live, "data: live");
    let row = serde_json::json!({"node": "pi8", "log": "pi8", "target": "companies/acme-inc", "field": "city", "value": format!("Y\r\nevent: link\r\ndata: x {EVIL}"), "at": "2026-11-28T15:40:00.123Z", "own": false, "delay_ms": 41});
    say.send(row.to_string()).unwrap();
    let told = hears(&mut live, "companies/acme-inc");
    assert!(!told.contains("<script"), "{told}");
    hears(&mut live, "&lt;script&gt;");
    hears(&mut live, "41 ms");
    hears(&mut card, "event: changed");
    say.send(row.to_string().replace("acme-inc", "other")).unwrap();
    hears(&mut other, "event: changed");
    assert!(web.get("/live").body.contains("41 ms"));
}

fn serve(
    mut socket: std::os::unix::net::UnixStream,
    lines: &std::sync::Mutex<std::sync::mpsc::Receiver<String>>,
) {
    let mut asked = String::new();
    BufReader::new(socket.try_clone().unwrap()).read_line(&mut asked).unwrap();
    if asked.contains("\"follow\"") {
        let _ = writeln!(socket, "{{\"follows\":true}}");
        let lines = lines.lock().unwrap();
        lines.iter().take_while(|line| writeln!(socket, "{line}").is_ok()).for_each(drop);
        return;
    }
    let told = serde_json::json!({"at": "2026-11-28T15:40:00Z", "node": "pi1", "nodes": [
        {"node": "pi1", "me": true, "standing": "alive", "condition": {"load": 1.0, "cores": 4, "memory": 100, "memory_free": 50}, "condition_ms": 100},
        {"node": "pi8", "standing": "alive", "clock_ahead_us": 90_000_000, "heard_ms": 5},
        {"node": "pi9", "standing": "down", "heard_ms": 7_200_000}],
        "sameness": {"state": "differing", "same": 1, "of": 2, "differ": [{"node": "pi8", "target": "companies/x", "field": "city", "here": "<b>a", "there": null}], "mend": "put it right with `cocli set`"},
        "oldest_ms": null, "parts": null, "bucket": {"trouble": {"kind": "denied", "said": "s3://team: PUT: 403"}}});
    let _ = writeln!(socket, "{told}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
fn it_ends_in_time_with_streams_and_half_a_request_open() {
    let home = company();
    let mut web = here(&home);
    let mut streams: Vec<_> = (0..20).map(|_| web.stream("live")).collect();
    for stream in &mut streams {
        hears(stream, "data: no daemon runs");
    }
    // Half a request holds nobody up either.
    let mut half = web.open();
    half.write_all(b"GET / HTTP/1.1\r\nhost: lo").unwrap();
    let began = Instant::now();
    let pid = web.child.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(web.child.wait().unwrap().success());
    assert!(began.elapsed() < ENDS_WITHIN, "{:?}", began.elapsed());
}
