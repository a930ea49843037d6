//! An object store: what `object_store` does made synchronous, with a failure for each answer.

mod page;

use std::future::Future;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cocli_core::bucket::{Created, Failure, FailureKind, Key, Listed};
use futures_util::stream::{self, FuturesOrdered, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::answer::{Answer, chain, noting};
use crate::service::Service;

/// How often a create is tried when another conditional write was under way at the same time.
const CONFLICTS: u32 = 4;
/// What is waited after the first of them; then twice as long, and so on.
const CONFLICT_PAUSE: Duration = Duration::from_millis(200);
/// How long it is believed that a known object could be read, or could not.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// What `take` of [`Remote::get_all`] is.
type Take<'a> = dyn FnMut(usize, Option<Vec<u8>>) -> Result<(), Failure> + 'a;
/// What `take` of [`Remote::get_parts`] is.
type Part<'a> = dyn FnMut(&[u8]) -> Result<(), Failure> + 'a;
/// What `made` of [`Remote::create_all`] is.
type Made<'a> = dyn FnMut() -> Result<Option<(Key, Vec<u8>)>, Failure> + 'a;

/// An object store and the runtime that its connections live in.
pub(crate) struct Remote {
    runtime: Option<Runtime>,
    service: Service,
    /// The bucket's address, for failures.
    address: String,
    prefix: String,
    parallel: usize,
    missing_is_denied: AtomicBool,
    /// When the known object was last read, and whether it could be.
    known: Mutex<Option<(Instant, bool)>>,
}

impl Remote {
    pub(crate) fn new(
        service: Service,
        address: String,
        prefix: String,
        parallel: usize,
    ) -> Result<Self, Failure> {
        // One thread drives the connections; those who call drive their own requests.
        let built =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = built.map_err(|error| {
            Failure::new(FailureKind::Away, format!("{address}: no thread for it: {error}"))
        })?;
        Ok(Self {
            runtime: Some(runtime),
            service,
            address,
            prefix,
            parallel,
            missing_is_denied: AtomicBool::new(false),
            known: Mutex::default(),
        })
    }

    pub(crate) fn wait<T>(
        &self,
        asked: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match &self.runtime {
            // A thread of another runtime may not wait here: told, and no panic.
            Some(_) if tokio::runtime::Handle::try_current().is_ok() => {
                let said = format!("{}: asked from inside an asynchronous runtime", self.address);
                Err(Failure::new(FailureKind::Wrong, said))
            }
            Some(runtime) => runtime.block_on(asked),
            None => Err(Failure::new(FailureKind::Away, format!("{}: closed", self.address))),
        }
    }

    pub(crate) fn missing_is_denied(&self, so: bool) {
        self.missing_is_denied.store(so, Ordering::Relaxed);
    }

    fn path(&self, key: &str) -> Result<Path, Failure> {
        Path::parse(format!("{}{key}", self.prefix)).map_err(|error| {
            Failure::new(FailureKind::Wrong, format!("{key:?} is no key: {}", chain(&error)))
        })
    }

    fn failure(&self, asked: &str, key: &str, answer: &Answer, error: &Error) -> Failure {
        answer.failure(&format!("{asked} {}/{}{key}", self.address, self.prefix), error)
    }

    /// The bytes of an object, as the store answers; with a failure comes the answer.
    pub(crate) async fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, (Failure, Answer)> {
        let path = self.path(key.as_str()).map_err(|failure| (failure, Answer::default()))?;
        let (read, answer) = noting(async {
            let found = self.service.client.get(&path).await?;
            let told = found.meta.size;
            Ok((told, found.bytes().await?))
        })
        .await;
        match read {
            Ok((told, bytes)) if bytes.len() as u64 == told => Ok(Some(bytes.into())),
            Ok((told, bytes)) => {
                let short = Answer::broken(format!("{} of {told} bytes came", bytes.len()));
                Err((short.failure(&format!("get {key}"), &std::fmt::Error), short))
            }
            Err(Error::NotFound { .. }) if answer == Answer::default() || answer.is_missing() => {
                Ok(None)
            }
            Err(error) => Err((self.failure("get", key.as_str(), &answer, &error), answer)),
        }
    }

    /// The bytes of an object as they come.
    pub(crate) async fn get_parts(&self, key: &Key, take: &mut Part<'_>) -> Result<bool, Failure> {
        let path = self.path(key.as_str())?;
        let mut refused = None;
        let (read, answer) = noting(async {
            let found = self.service.client.get(&path).await?;
            let (told, mut came) = (found.meta.size, 0u64);
            let mut parts = found.into_stream();
            while let Some(part) = parts.try_next().await? {
                came += part.len() as u64;
                if let Err(failure) = take(&part) {
                    refused = Some(failure);
                    break;
                }
            }
            Ok((told, came))
        })
        .await;
        if let Some(failure) = refused {
            return Err(failure);
        }
        match read {
            Ok((told, came)) if came == told => Ok(true),
            Ok((told, came)) => {
                let short = Answer::broken(format!("{came} of {told} bytes came"));
                Err(short.failure(&format!("get {key}"), &std::fmt::Error))
            }
            Err(Error::NotFound { .. }) if answer == Answer::default() || answer.is_missing() => {
                Ok(false)
            }
            Err(error) => Err(self.failure("get", key.as_str(), &answer, &error)),
        }
    }

    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        match self.read(key).await {
            Ok(found) => Ok(found),
            Err((_, answer))
                if answer.is_denied()
                    && self.missing_is_denied.load(Ordering::Relaxed)
                    && self.known_is_readable().await =>
            {
                Ok(None)
            }
            Err((failure, _)) => Err(failure),
        }
    }

    /// Whether the object that is known to exist can be read: then a refusal means that another is missing.
    /// It is asked for once a minute at most.
    async fn known_is_readable(&self) -> bool {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, readable)) = *known()
            && when.elapsed() < KNOWN_FOR
        {
            return readable;
        }
        let readable = matches!(self.read(&Key::cluster()).await, Ok(Some(_)));
        *known() = Some((Instant::now(), readable));
        readable
    }

    pub(crate) async fn create(&self, key: &Key, bytes: Vec<u8>) -> Result<Created, Failure> {
        let path = self.path(key.as_str())?;
        let payload = PutPayload::from(bytes);
        let mut pause = CONFLICT_PAUSE;
        for turn in 1.. {
            let options = PutOptions::from(PutMode::Create);
            let put = self.service.client.put_opts(&path, payload.clone(), options);
            let (put, answer) = noting(put).await;
            let error = match put {
                Ok(_) => return Ok(Created::New),
                Err(error) => error,
            };
            let exists = matches!(error, Error::AlreadyExists { .. });
            if exists && (!answer.is_conflict() || answer.code == "BlobAlreadyExists") {
                return Ok(Created::Exists);
            }
            if !answer.is_conflict() {
                return Err(self.failure("create", key.as_str(), &answer, &error));
            }
            // Another write was under way: what came of it is read, and without any the next try counts.
            if self.get(key).await?.is_some() {
                return Ok(Created::Exists);
            }
            if turn == CONFLICTS {
                return Err(self.failure("create", key.as_str(), &answer, &error));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(Created::Exists)
    }

    pub(crate) async fn replace(&self, key: &Key, bytes: Vec<u8>) -> Result<(), Failure> {
        let path = self.path(key.as_str())?;
        let put = self.service.client.put(&path, PutPayload::from(bytes));
        let (put, answer) = noting(put).await;
        put.map_err(|error| self.failure("replace", key.as_str(), &answer, &error))?;
        Ok(())
    }

    pub(crate) async fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        let path = self.path(folder.as_str())?;
        let list = self.service.client.list(Some(&path)).try_collect::<Vec<_>>();
        let (list, answer) = noting(list).await;
        let list = list.map_err(|e| self.failure("list", folder.as_str(), &answer, &e))?;
        let listed = list.into_iter().filter_map(|about| {
            let key = about.location.as_ref().strip_prefix(&self.prefix)?;
            let key = Key::read(key).filter(|key| key.as_str().starts_with(folder.as_str()))?;
            let written = about.last_modified.timestamp_micros();
            Some(Listed { key, bytes: about.size, written })
        });
        let mut listed: Vec<Listed> = listed.collect();
        listed.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(listed)
    }

    pub(crate) async fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        let path = self.path(folder.as_str())?;
        let (list, answer) = noting(self.service.client.list_with_delimiter(Some(&path))).await;
        let list = list.map_err(|e| self.failure("list", folder.as_str(), &answer, &e))?;
        let last = |path: Path| path.filename().map(str::to_string);
        let mut names: Vec<String> = list.common_prefixes.into_iter().filter_map(last).collect();
        names.sort();
        Ok(names)
    }

    pub(crate) async fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        let paths: Result<Vec<Path>, Failure> =
            keys.iter().map(|key| self.path(key.as_str())).collect();
        let paths = stream::iter(paths?.into_iter().map(Ok)).boxed();
        let mut removed = self.service.client.delete_stream(paths);
        let removing = async {
            while let Some(one) = removed.next().await {
                match one {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        let (removed, answer) = noting(removing).await;
        let first = keys.first().map_or("nothing", Key::as_str);
        match removed {
            Ok(()) => Ok(()),
            Err(_) if answer.is_missing() => Ok(()),
            Err(error) => Err(self.removal(first, &answer, &error)),
        }
    }

    /// A deletion of many is answered by 200, with what failed in its body.
    fn removal(&self, first: &str, answer: &Answer, error: &Error) -> Failure {
        let mut failure = self.failure("remove", first, answer, error);
        if answer.status == Some(200) && answer.broken.is_none() {
            let said = chain(error);
            let has = |codes: &[&str]| codes.iter().any(|code| said.contains(code));
            if has(&["AccessDenied"]) {
                failure.kind = FailureKind::Denied;
            } else if has(&["InternalError", "SlowDown", "ServiceUnavailable"]) {
                failure.kind = FailureKind::Away;
            }
        }
        failure
    }

    pub(crate) async fn get_all(&self, keys: &[Key], take: &mut Take<'_>) -> Result<(), Failure> {
        let each = keys.iter().enumerate();
        let gets = each.map(|(place, key)| async move { (place, self.get(key).await) });
        let mut gets = stream::iter(gets).buffer_unordered(self.parallel);
        while let Some((place, got)) = gets.next().await {
            take(place, got?)?;
        }
        Ok(())
    }

    pub(crate) async fn create_all(&self, made: &mut Made<'_>) -> Result<Vec<Created>, Failure> {
        let mut created = Vec::new();
        let mut creating = FuturesOrdered::new();
        let mut more = true;
        loop {
            while more && creating.len() < self.service.parallel_creates {
                match made()? {
                    Some((key, bytes)) => {
                        creating.push_back(async move { self.create(&key, bytes).await });
                    }
                    None => more = false,
                }
            }
            match creating.next().await {
                Some(one) => created.push(one?),
                None => return Ok(created),
            }
        }
    }
}

impl Drop for Remote {
    /// Without waiting for connections that are idle.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
