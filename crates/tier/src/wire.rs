//! The wire below `object_store`: it counts each request, limits how long an answer may take, and notes what
//! the answer was.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use tokio::time::Sleep;

use crate::answer::{self, Answer, chain};
use crate::meter::{Kind, Meter};
use crate::tls::Client;

/// How long finding a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long finding one to a machine's own metadata may take: it is near or not there.
const CONNECT_NEAR: Duration = Duration::from_secs(1);
/// Bytes of a request's body that give it a second more: the slowest line that is still worth it.
const UP_BYTES_PER_SECOND_MIN: usize = 64 * 1024;
/// What is read of the text of an error.
const ERROR_TEXT_MAX: usize = 64 * 1024;

/// Connects `object_store` to the wire.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) client: Client,
    /// How long an answer may be waited for, and each further part of it.
    pub(crate) timeout: Duration,
    pub(crate) meter: Arc<Meter>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let asked = |key| options.get_config_value(&key);
        let usual = ClientOptions::new().with_connect_timeout(CONNECT);
        let near = asked(ClientConfigKey::ConnectTimeout)
            != usual.get_config_value(&ClientConfigKey::ConnectTimeout);
        let https_only = asked(ClientConfigKey::AllowHttp).as_deref() != Some("true");
        let connect = if near { CONNECT_NEAR } else { CONNECT };
        let client = self.client.build(connect, https_only).map_err(|failure| {
            object_store::Error::Generic { store: "TLS", source: Box::new(failure) }
        })?;
        let meter = Arc::clone(&self.meter);
        Ok(HttpClient::new(Wire { client, timeout: self.timeout, meter, near }))
    }
}

#[derive(Debug)]
struct Wire {
    client: reqwest::Client,
    timeout: Duration,
    meter: Arc<Meter>,
    /// Whether it leads to the machine's own metadata, where nothing is charged.
    near: bool,
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let sent = request.body().content_length();
        self.meter.asked(if self.near { Kind::Other } else { kind(&request) });
        self.meter.sent(sent);
        let more = Duration::from_secs((sent / UP_BYTES_PER_SECOND_MIN) as u64);
        let answered = tokio::time::timeout(self.timeout + more, self.client.call(request)).await;
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                answer::note(Answer::broken(chain(&error)));
                return Err(error);
            }
            Err(_) => return Err(too_late()),
        };
        let status = response.status();
        answer::note(Answer { status: Some(status.as_u16()), ..Answer::default() });
        let (parts, body) = response.into_parts();
        let body = HttpResponseBody::new(Counted::new(body, self.timeout, Arc::clone(&self.meter)));
        if !status.is_client_error() && !status.is_server_error() && !status.is_redirection() {
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let text = text(body).await?;
        let mut answer = Answer::read(status.as_u16(), &String::from_utf8_lossy(&text));
        if self.near {
            answer.message = "so said this machine's metadata, asked for credentials".to_string();
        }
        answer::note(answer);
        Ok(HttpResponse::from_parts(parts, text.into()))
    }
}

fn too_late() -> HttpError {
    let waited = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    answer::note(Answer::broken("no answer in time"));
    HttpError::new(HttpErrorKind::Timeout, waited)
}

/// The text of an error, as far as it is worth reading.
async fn text(mut body: HttpResponseBody) -> Result<Vec<u8>, HttpError> {
    let mut text = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Some(part) = frame?.data_ref() {
            let room = ERROR_TEXT_MAX.saturating_sub(text.len()).min(part.len());
            text.extend_from_slice(&part[..room]);
        }
        if text.len() == ERROR_TEXT_MAX {
            break;
        }
    }
    Ok(text)
}

fn kind(request: &HttpRequest) -> Kind {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|one| one.split('=').next() == Some(name));
    let azure_batch = query.split('&').any(|one| one == "comp=batch");
    match request.method().as_str() {
        "GET" if has("list-type") || query.split('&').any(|one| one == "comp=list") => Kind::List,
        "GET" => Kind::Get,
        "HEAD" => Kind::Head,
        "PUT" => Kind::Put,
        "DELETE" => Kind::Delete,
        "POST" if has("delete") || azure_batch => Kind::Delete,
        _ => Kind::Other,
    }
}

/// A body that is counted as it comes, and given up when nothing comes.
#[derive(Debug)]
struct Counted {
    body: HttpResponseBody,
    meter: Arc<Meter>,
    timeout: Duration,
    patience: Pin<Box<Sleep>>,
}

impl Counted {
    fn new(body: HttpResponseBody, timeout: Duration, meter: Arc<Meter>) -> Self {
        Self { body, meter, timeout, patience: Box::pin(tokio::time::sleep(timeout)) }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                // What waited because its reader was busy was read above: only silence is late.
                return self.patience.as_mut().poll(cx).map(|()| Some(Err(too_late())));
            }
        };
        match &frame {
            Some(Ok(frame)) => {
                self.meter.received(frame.data_ref().map_or(0, Bytes::len));
                let until = tokio::time::Instant::now() + self.timeout;
                self.patience.as_mut().reset(until);
            }
            Some(Err(error)) => answer::note(Answer::broken(chain(error))),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
