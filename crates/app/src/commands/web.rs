//! `cocli web`: the pages of this home for a browser.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Context;
use crate::args::Web;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::web::{self, Options};

/// Where it listens when only an address is named.
const PORT: u16 = 7777;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Letters that a token has at least: a shorter one can be guessed.
const TOKEN_MIN: usize = 16;

pub(super) fn run(context: &Context, args: &Web) -> Result<(), Failure> {
    let home = context.home()?;
    let listen = address(&args.listen)?;
    let token = match (&args.token_file, listen.ip().is_loopback()) {
        (Some(file), _) => Some(read(file)?),
        (None, true) => None,
        (None, false) => Some(kept(&home.web_token_path())?),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if let Some(odd) = args.hosts.iter().find(|name| !name.chars().all(plain)) {
        return Err(Failure::usage(format!(
            "{odd:?} is no name of a machine: expected as `crm.example.org`, without `http://` and without a port"
        )));
    }
    let options = Options { listen, token, hosts: args.hosts.clone(), streams: web::STREAMS_MAX };
    web::serve(&home, options, context.screen)
}

/// `127.0.0.1:7777`, `0.0.0.0`, or `8080`.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let text = text.strip_prefix("localhost:").unwrap_or(text);
    let whole = text.parse().ok();
    let part = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::from((ip, PORT)));
    whole.or_else(part).or_else(|| text.parse().ok().map(here)).ok_or_else(|| {
        Failure::usage(format!(
            "{text:?} is no address to listen at: expected as `127.0.0.1:{PORT}`, `0.0.0.0`, `[::]:8080` or `8080`"
        ))
    })
}

/// A token that a person chose.
fn read(file: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(Exit::Failed, format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let token = text.trim().to_owned();
    let plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if token.len() < TOKEN_MIN || !plain {
        return Err(failed(format!(
            "is no token: expected at least {TOKEN_MIN} letters, digits or any of `-._~` in one line"
        ))
        .hint(format!("`openssl rand -hex {TOKEN_BYTES} > {}`", file.display())));
    }
    let open = std::fs::metadata(file).is_ok_and(|data| data.mode() & 0o077 != 0);
    if open {
        return Err(failed("others of this machine may read it".to_owned())
            .hint(format!("`chmod 600 {}`", file.display())));
    }
    Ok(token)
}

/// The token of the home; made where there is none.
fn kept(path: &Path) -> Result<String, Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(mut file) => {
            let token: String =
                clock::random::<TOKEN_BYTES>().map(|byte| format!("{byte:02x}")).concat();
            writeln!(file, "{token}").and_then(|()| file.sync_all())?;
            Ok(token)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(Failure::new(Exit::Failed, format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_whole_or_either_half_of_it() {
        let read = |text: &str| address(text).map(|at| at.to_string()).map_err(|_| ());
        assert_eq!(read("8080"), Ok("127.0.0.1:8080".into()));
        assert_eq!(read("localhost:80"), Ok("127.0.0.1:80".into()));
        assert_eq!(read("0.0.0.0"), Ok("0.0.0.0:7777".into()));
        assert_eq!(read("[::1]:9"), Ok("[::1]:9".into()));
        assert_eq!(read("::1"), Ok("[::1]:7777".into()));
        assert_eq!(read("example.com:80"), Err(()));
        assert_eq!(read("99999"), Err(()));
    }

    #[test]
    fn a_token_is_made_once_for_its_owner_alone_and_a_weak_or_open_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.token");
        let token = kept(&path).unwrap();
        assert_eq!((token.len(), kept(&path).unwrap() == token), (2 * TOKEN_BYTES, true));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(read(&path).unwrap_err().message.contains("is no token"));
        std::fs::write(&path, "with a blank in the middle of it").unwrap();
        assert!(read(&path).unwrap_err().message.contains("is no token"));
        std::fs::write(&path, format!("{token}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(&path, mode).unwrap();
        assert!(read(&path).unwrap_err().message.contains("may read it"));
    }
}
