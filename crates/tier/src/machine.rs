//! The metadata that a cloud's machine has of itself: whether it is there at all. It is near or not there, so
//! it is waited for a second and not for minutes; and who answers but refuses, as some networks do for every
//! address, is nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long each step of asking may take.
const ANSWERS_IN: Duration = Duration::from_secs(1);
/// What is read of an answer: its status.
const STATUS_BYTES: usize = 12;

/// What a machine is asked to see whether it is one of this cloud.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    method: &'static str,
    path: &'static str,
    header: &'static str,
}

/// Of EC2: the token that goes before everything else.
pub(crate) const AMAZON: Question = Question {
    method: "PUT",
    path: "/latest/api/token",
    header: "X-aws-ec2-metadata-token-ttl-seconds: 60",
};
/// Of Google: the account.
pub(crate) const GOOGLE: Question = Question {
    method: "GET",
    path: "/computeMetadata/v1/instance/service-accounts/default/email",
    header: "Metadata-Flavor: Google",
};
/// Of Azure: anything.
pub(crate) const AZURE: Question = Question {
    method: "GET",
    path: "/metadata/instance?api-version=2021-02-01",
    header: "Metadata: true",
};

impl Question {
    /// Asks at this place.
    ///
    /// # Errors
    /// Why the machine is none of this cloud.
    pub(crate) fn ask(self, place: &str) -> Result<(), String> {
        let status = self.status(place).map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                format!("no answer within {} s", ANSWERS_IN.as_secs())
            }
            _ => error.to_string(),
        })?;
        if status == "200" { Ok(()) } else { Err(format!("answers {status}")) }
    }

    fn status(self, place: &str) -> std::io::Result<String> {
        let host = place.trim_start_matches("http://").trim_end_matches('/');
        let address = if host.contains(':') { host.to_string() } else { format!("{host}:80") };
        let found: Option<SocketAddr> = address.to_socket_addrs()?.next();
        let found = found.ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let mut stream = TcpStream::connect_timeout(&found, ANSWERS_IN)?;
        stream.set_read_timeout(Some(ANSWERS_IN))?;
        stream.set_write_timeout(Some(ANSWERS_IN))?;
        let Self { method, path, header } = self;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        let mut begin = [0; STATUS_BYTES];
        stream.read_exact(&mut begin)?;
        let begin = String::from_utf8_lossy(&begin).into_owned();
        Ok(begin.split(' ').nth(1).unwrap_or("what is no HTTP").to_string())
    }
}
