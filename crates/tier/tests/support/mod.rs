//! The servers that `tests/bucket/servers.py` started, and the proxy that makes them fail.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// Their addresses; none when the tests run without them.
pub(crate) fn servers() -> Vec<String> {
    let named = std::env::var("COCLI_TEST_S3").unwrap_or_default();
    named.split_whitespace().map(str::to_string).collect()
}

/// `proxy.py` before a server, until it is dropped.
pub(crate) struct Proxy {
    child: Child,
    port: u16,
    server: String,
    server_port: u16,
}

impl Proxy {
    /// Starts one.
    pub(crate) fn before(server: &str) -> Self {
        let rest = server.split_once("127.0.0.1:").unwrap().1;
        let server_port: u16 = rest.split('&').next().unwrap().parse().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bucket/proxy.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg(server_port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, port, server: server.to_string(), server_port }
    }

    /// The server's address by way of the proxy, with more said.
    pub(crate) fn address(&self, said: &str) -> String {
        let by = |port: u16| format!("127.0.0.1:{port}");
        let address = self.server.replace(&by(self.server_port), &by(self.port));
        if said.is_empty() { address } else { format!("{address}&{said}") }
    }

    /// Lets requests fail so, from now on.
    pub(crate) fn follow(&self, faults: &Json) {
        self.ask("POST", "/__faults", &faults.to_string());
    }

    /// What it counted.
    pub(crate) fn counts(&self) -> Json {
        self.ask("GET", "/__counts", "")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Json {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: {length}\r\n");
        write!(stream, "{head}Connection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
